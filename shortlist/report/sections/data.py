"""The input data: splits, dropped rows, statistics of each table, and deviations from its schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from shortlist import keys
from shortlist.records.nodes import TABLES
from shortlist.report import format, histograms
from shortlist.report.blocks import Block, Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.report.sections import distributions

_KINDS = {
    statistics_pb2.FeatureNameStatistics.INT: "whole number",
    statistics_pb2.FeatureNameStatistics.FLOAT: "number",
    statistics_pb2.FeatureNameStatistics.STRING: "text",
    statistics_pb2.FeatureNameStatistics.BYTES: "bytes",
}


def section(facts: Facts) -> PageSection | None:
    """Returns the statistics of the data; None if no data was read."""
    blocks: list[Block] = [block for block in (_splits(facts), _dropped_rows(facts)) if block]
    found: list[histograms.Distribution] = []
    for table in TABLES:
        statistics = facts.statistics(table)
        if statistics is not None:
            blocks.append(_statistics(table, statistics.datasets[0]))
            found += distributions.found_in(table, statistics.datasets[0], facts.value_counts(table))
    if found:
        blocks.append(distributions.figure(found))
    blocks += _anomalies(facts)
    if not blocks:
        return None
    return PageSection("data", "Data", "", blocks)


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
    lines = [
        _feature(feature, rows) for feature in dataset.features if feature.path.step[0] not in distributions.LOCATIONS
    ]
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
        top = "" if name in distributions.IDS else _top(feature.string_stats)
        return [*cells, format.count(feature.string_stats.unique), *[format.NOTHING] * 4, top]
    if kind == "num_stats":
        numbers = feature.num_stats
        values = (numbers.mean, numbers.min, numbers.median, numbers.max)
        form: Callable[[float], str] = format.number
        if distributions.is_time(feature):
            form = distributions.date
        elif distributions.is_year(feature):
            form = format.year
        return [*cells, format.NOTHING, *map(form, values), ""]
    return [*cells, *[format.NOTHING] * 5, ""]


def _top(stats: Any) -> str:
    return ", ".join(f"{value.value} ({value.frequency:,.0f})" for value in list(stats.top_values)[:2])


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
