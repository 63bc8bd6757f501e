"""Rows by value of each feature: exact counts where there are some, and TFDV's estimates elsewhere."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from shortlist import keys
from shortlist.report import format, histograms
from shortlist.report.blocks import Figure, TableBlock, TableColumn

# Ids are personal data, so that the report has no values of them. Statistics of a row's location have no use.
IDS = {keys.QUERY_ID, keys.CANDIDATE_ID}
LOCATIONS = {keys.SOURCE_PATH, keys.SOURCE_ROW}
_MOST_VALUES = 8
# Whole numbers with more values than this are shown in ranges.
_MOST_WHOLE_NUMBERS = 12
_RANGES = 10
_MOST_PLOTS = 9
_EARLIEST_TIME = datetime.datetime(1990, 1, 1, tzinfo=datetime.timezone.utc).timestamp()
_YEARS = range(1500, 2201)
_DAY = 86400

Counts = Mapping[str, Sequence[tuple[float, int]]]
"""Rows by value of the features whose values were counted, see `shortlist.records.files.VALUES_FILE`."""


def is_time(feature: Any) -> bool:
    """Returns whether a feature of TFDV's statistics is seconds since 1970; order numbers are smaller."""
    return bool(feature.path.step[0] == keys.TIMESTAMP and feature.num_stats.min >= _EARLIEST_TIME)


def is_year(feature: Any) -> bool:
    """Returns whether a feature of TFDV's statistics has years, which are written without thousands separators."""
    low, high = feature.num_stats.min, feature.num_stats.max
    whole = float(low).is_integer() and float(high).is_integer()
    return whole and _YEARS[0] <= low <= high <= _YEARS[-1]


def found_in(table: str, dataset: Any, counts: Counts) -> list[histograms.Distribution]:
    """Returns the distributions of a table's features.

    Args:
      table: interactions, candidates or queries.
      dataset: TFDV's DatasetFeatureStatistics.
      counts: Exact counts of the table.
    """
    found = (_distribution(table, feature, counts) for feature in dataset.features)
    return [item for item in found if item is not None]


def _distribution(table: str, feature: Any, counts: Counts) -> histograms.Distribution | None:
    name = feature.path.step[0]
    title = f"{table}: {name}"
    if name in IDS | LOCATIONS:
        return None
    if counts.get(name):
        return _of_whole_numbers(title, counts[name], is_year(feature))
    buckets = _estimates(feature)
    if buckets:
        return histograms.Distribution(title, buckets, kind="time" if is_time(feature) else "number")
    values = [(bucket.label, bucket.sample_count) for bucket in feature.string_stats.rank_histogram.buckets]
    values = values[:_MOST_VALUES]
    # A plot of values that are all about equally frequent shows nothing.
    if values and values[0][1] > 1.5 * values[-1][1]:
        return histograms.Distribution(title, values=values)
    return None


def _of_whole_numbers(title: str, counts: Sequence[tuple[float, int]], years: bool) -> histograms.Distribution:
    """Returns the counts of whole numbers, as they are or in ranges of equal width."""
    kind: histograms.Kind = "year" if years else "whole"
    if len(counts) <= _MOST_WHOLE_NUMBERS:
        return histograms.Distribution(title, [(value, value, rows) for value, rows in counts], kind=kind)
    first, last = counts[0][0], counts[-1][0]
    width = math.ceil((last - first + 1) / _RANGES)
    by_range = [0] * math.ceil((last - first + 1) / width)
    for value, rows in counts:
        by_range[int((value - first) // width)] += rows
    buckets = [
        (first + number * width, min(first + (number + 1) * width - 1, last), rows)
        for number, rows in enumerate(by_range)
    ]
    return histograms.Distribution(title, buckets, kind=kind)


def _estimates(feature: Any) -> list[tuple[float, float, float]]:
    for histogram in feature.num_stats.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            return [(bucket.low_value, bucket.high_value, bucket.sample_count) for bucket in histogram.buckets]
    return []


def figure(found: Sequence[histograms.Distribution]) -> Figure:
    """Returns the plots of some distributions, and their table."""
    shown = found[:_MOST_PLOTS]
    lines = []
    for item in shown:
        for low, high, rows in item.buckets:
            lines.append([item.feature, bucket_text(item, low, high), f"{'' if item.exact else 'about '}{rows:,.0f}"])
        lines += [[item.feature, value, format.count(rows)] for value, rows in item.values]
    caption = "Rows by value"
    if not all(item.exact for item in shown):
        caption += '; "about" marks estimates of TFDV, which counts numbers in ranges'
    return Figure(
        "Distributions",
        "Number of rows by value, per feature: numbers by value or in ranges, texts by their most frequent values.",
        lambda: [histograms.distribution(item) for item in shown],
        TableBlock(
            caption,
            [TableColumn("feature", numeric=False), TableColumn("value", numeric=False), TableColumn("rows")],
            lines,
        ),
        wide=True,
    )


def bucket_text(item: histograms.Distribution, low: float, high: float) -> str:
    """Returns a range of values as text: `1 to 5`, `1990 to 1998`, `1997-09-20 to 1997-10-12`."""
    if item.kind == "time":
        form = "%Y-%m-%d" if item.buckets[-1][1] - item.buckets[0][0] > 3 * _RANGES * _DAY else "%Y-%m-%d %H:%M"
        return f"{_utc(low):{form}} to {_utc(high):{form}}"
    one = format.year if item.kind == "year" else format.number
    return one(low) if low == high else f"{one(low)} to {one(high)}"


def _utc(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def date(seconds: float) -> str:
    """Returns the date of a time in seconds since 1970."""
    return f"{_utc(seconds):%Y-%m-%d}"
