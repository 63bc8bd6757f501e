"""The input data: splits, dropped rows, statistics of each table, and deviations from its schema."""

from __future__ import annotations

import datetime
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from shortlist import keys
from shortlist.records.nodes import TABLES
from shortlist.report import format, plots
from shortlist.report.blocks import Block, Figure, Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

# Ids are personal data, so that the report has no values of them. Statistics of a row's location have no use.
_IDS = {keys.QUERY_ID, keys.CANDIDATE_ID}
_LOCATIONS = {keys.SOURCE_PATH, keys.SOURCE_ROW}
_MOST_VALUES = 8
_MOST_PLOTS = 9
# Suffix of features whose plots have an axis in years.
_YEAR = " (year)"
_EARLIEST = datetime.datetime(1990, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
_SECONDS_A_YEAR = 365.2425 * 86400
_KINDS = {
    statistics_pb2.FeatureNameStatistics.INT: "whole number",
    statistics_pb2.FeatureNameStatistics.FLOAT: "number",
    statistics_pb2.FeatureNameStatistics.STRING: "text",
    statistics_pb2.FeatureNameStatistics.BYTES: "bytes",
}


def section(facts: Facts) -> PageSection | None:
    """Returns the statistics of the data; None if no data was read."""
    blocks: list[Block] = [block for block in (_splits(facts), _dropped_rows(facts)) if block]
    distributions = []
    for table in TABLES:
        statistics = facts.statistics(table)
        if statistics is not None:
            blocks.append(_statistics(table, statistics.datasets[0]))
            distributions += _distributions(table, statistics.datasets[0])
    if distributions:
        blocks.append(_distributions_figure(distributions[:_MOST_PLOTS]))
    blocks += _anomalies(facts)
    if not blocks:
        return None
    return PageSection("data", "The data", "", blocks)


def _splits(facts: Facts) -> TableBlock | None:
    data = facts.data
    if data is None:
        return None
    return TableBlock(
        f"Splits of {data.interactions:,} interactions over {data.candidates:,} candidates",
        [
            TableColumn("split", numeric=False),
            TableColumn("targets"),
            TableColumn("queries"),
            TableColumn("targets per query"),
        ],
        [
            [split, format.count(rows), format.count(data.queries.get(split)), _mean(rows, data.queries.get(split))]
            for split in (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)
            if (rows := data.rows.get(split)) is not None
        ],
    )


def _mean(total: float, number: float | None) -> str:
    if not number:
        return format.NOTHING
    return f"{total / number:.1f}"


def _dropped_rows(facts: Facts) -> TableBlock | None:
    data = facts.data
    if data is None or not any(data.dropped.values()):
        return None
    return TableBlock(
        "Rows left out, by reason",
        [TableColumn("reason", numeric=False), TableColumn("rows")],
        [[reason.replace("_", " "), format.count(rows)] for reason, rows in data.dropped.items() if rows],
    )


def _statistics(table: str, dataset: Any) -> TableBlock:
    rows = dataset.num_examples
    lines = [_feature(feature, rows) for feature in dataset.features if feature.path.step[0] not in _LOCATIONS]
    titles = ("feature", "kind", "rows with it", "distinct", "mean", "min", "median", "max", "most frequent")
    texts = {"feature", "kind", "most frequent"}
    return TableBlock(
        f"{table.capitalize()}: {rows:,} rows", [TableColumn(title, title not in texts) for title in titles], lines
    )


def _feature(feature: Any, rows: int) -> list[str]:
    name = feature.path.step[0]
    kind = feature.WhichOneof("stats")
    present = 0
    if kind:
        present = getattr(feature, kind).common_stats.num_non_missing
    cells = [name, _KINDS.get(feature.type, "other"), f"{present:,} ({present / max(rows, 1):.1%})"]
    if kind == "string_stats":
        top = "" if name in _IDS else _top(feature.string_stats)
        return [*cells, format.count(feature.string_stats.unique), *[format.NOTHING] * 4, top]
    if kind == "num_stats":
        numbers = feature.num_stats
        values = (numbers.mean, numbers.min, numbers.median, numbers.max)
        form = _date if _is_time(feature) else format.number
        return [*cells, format.NOTHING, *map(form, values), ""]
    return [*cells, *[format.NOTHING] * 5, ""]


def _is_time(feature: Any) -> bool:
    """Returns whether a feature is seconds since 1970; order numbers are smaller."""
    return bool(feature.path.step[0] == keys.TIMESTAMP and feature.num_stats.min >= _EARLIEST)


def _date(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%d}"


def _year(seconds: float) -> float:
    return 1970 + seconds / _SECONDS_A_YEAR


def _top(stats: Any) -> str:
    return ", ".join(f"{value.value} ({value.frequency:,.0f})" for value in list(stats.top_values)[:2])


def _distributions(table: str, dataset: Any) -> list[plots.Distribution]:
    found = []
    for feature in dataset.features:
        name = feature.path.step[0]
        if name in _IDS | _LOCATIONS:
            continue
        buckets = _buckets(feature)
        values = [(bucket.label, bucket.sample_count) for bucket in feature.string_stats.rank_histogram.buckets]
        values = values[:_MOST_VALUES]
        if buckets and _is_time(feature):
            years = [(_year(low), _year(high), number) for low, high, number in buckets]
            found.append(plots.Distribution(f"{table}: {name}{_YEAR}", years))
        # A plot of values that are all about equally frequent shows nothing.
        elif buckets or (values and values[0][1] > 1.5 * values[-1][1]):
            found.append(plots.Distribution(f"{table}: {name}", buckets, values))
    return found


def _buckets(feature: Any) -> list[tuple[float, float, float]]:
    for histogram in feature.num_stats.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            return [(bucket.low_value, bucket.high_value, bucket.sample_count) for bucket in histogram.buckets]
    return []


def _distributions_figure(found: list[plots.Distribution]) -> Figure:
    lines = []
    for item in found:
        lines += [[item.feature, _range(item, low, high), format.count(number)] for low, high, number in item.buckets]
        lines += [[item.feature, value, format.count(number)] for value, number in item.values]
    return Figure(
        "Distributions",
        "Number of rows by value, for each feature: numbers in ten ranges, texts by their most frequent values.",
        lambda: [plots.distribution(item) for item in found],
        TableBlock(
            "Rows by value",
            [TableColumn("feature", numeric=False), TableColumn("value", numeric=False), TableColumn("rows")],
            lines,
        ),
    )


def _range(item: plots.Distribution, low: float, high: float) -> str:
    if item.feature.endswith(_YEAR):
        return f"{low:.2f} to {high:.2f}"
    return f"{format.number(low)} to {format.number(high)}"


def _anomalies(facts: Facts) -> list[Block]:
    anomalies = {table: found for table in TABLES if (found := facts.anomalies(table)) is not None}
    lines = [[table, feature, text] for table, found in anomalies.items() for feature, text in found.items()]
    blocks: list[Block] = []
    if lines:
        columns = [TableColumn(title, numeric=False) for title in ("table", "feature", "deviation from the schema")]
        blocks.append(TableBlock("Anomalies", columns, lines))
    elif anomalies:
        blocks.append(Notes("plain", [f"No anomalies: {', '.join(anomalies)} fit their schemas."]))
    drift = [
        [table, str(feature), format.number(distance)]
        for table, found in (facts.gate.get("drift") or {}).items()
        for feature, distance in (found.items() if isinstance(found, dict) else ())
        if isinstance(distance, int | float)
    ]
    if drift:
        columns = [
            TableColumn("table", numeric=False),
            TableColumn("feature", numeric=False),
            TableColumn("distance, 0 to 1"),
        ]
        blocks.append(TableBlock("Drift since the last blessed run", columns, drift))
    return blocks
