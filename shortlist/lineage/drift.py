"""Drift of a table's features between two runs, computed from TFDV's statistics without importing TFDV.

The distances are those of the data gate: for numbers the Jensen-Shannon divergence (base 2) of the distributions, for
strings the largest change of one value's share.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from shortlist import keys

_FILE = f"Split-{keys.SPLIT_ALL}/FeatureStats.pb"
# Paths and a table's own ids differ between runs by nature. Times and row numbers do as well; they are integers, and
# only FLOAT and STRING features are compared.
_NEVER_COMPARED = {
    "interactions": {keys.SOURCE_PATH},
    "candidates": {keys.SOURCE_PATH, keys.CANDIDATE_ID},
    "queries": {keys.SOURCE_PATH, keys.QUERY_ID},
}
_Bucket = tuple[float, float, float]
"""Lowest value, highest value and number of values between them."""


@dataclasses.dataclass(frozen=True)
class FeatureDrift:
    """Drift of one feature, from 0 to 1."""

    feature: str
    distance: float
    description: str
    """The distance as text."""


def read(statistics_uri: str) -> Any | None:
    """Returns the statistics in an artifact's folder; None if they are missing or unreadable."""
    found = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        found.ParseFromString(pathlib.Path(statistics_uri, _FILE).read_bytes())
    except (OSError, DecodeError):
        return None
    if not found.datasets:
        return None
    return found


def drifts(table: str, before: Any, after: Any) -> list[FeatureDrift]:
    """Returns the drift of the features that both have, the largest first.

    Args:
      table: interactions, candidates or queries.
      before: DatasetFeatureStatisticsList of one run.
      after: DatasetFeatureStatisticsList of the other run.
    """
    earlier, later = _features(table, before), _features(table, after)
    found = [_drift(name, earlier[name], later[name]) for name in earlier.keys() & later.keys()]
    return sorted((drift for drift in found if drift), key=lambda drift: (-drift.distance, drift.feature))


def _features(table: str, statistics: Any) -> dict[str, Any]:
    kinds = (statistics_pb2.FeatureNameStatistics.FLOAT, statistics_pb2.FeatureNameStatistics.STRING)
    return {
        name: feature
        for feature in statistics.datasets[0].features
        if (name := feature.path.step[0]) not in _NEVER_COMPARED.get(table, set()) and feature.type in kinds
    }


def _drift(name: str, before: Any, after: Any) -> FeatureDrift | None:
    if before.type != after.type:
        return FeatureDrift(name, 1.0, "the type changed between number and string")
    if before.type == statistics_pb2.FeatureNameStatistics.FLOAT:
        first, second = _histogram(before), _histogram(after)
        if not first or not second:
            return _appearance(name, bool(first), bool(second))
        distance = jensen_shannon(first, second)
        return FeatureDrift(name, distance, f"Jensen-Shannon divergence {distance:.2g}")
    counts, later = _counts(before), _counts(after)
    if not counts or not later:
        return _appearance(name, bool(counts), bool(later))
    value, distance = most_moved(counts, later)
    return FeatureDrift(name, distance, f"the share of {value!r} moved by {distance:.2g}")


def _appearance(name: str, before: bool, after: bool) -> FeatureDrift | None:
    """Returns the drift of a feature that has values in only one of the runs; None if in neither."""
    if before == after:
        return None
    if before:
        return FeatureDrift(name, 1.0, "no values at all any more")
    return FeatureDrift(name, 1.0, "no values at all before")


def _histogram(feature: Any) -> list[_Bucket]:
    standard = statistics_pb2.Histogram.STANDARD
    for histogram in feature.num_stats.histograms:
        if histogram.type == standard:
            return [
                (bucket.low_value, bucket.high_value, bucket.sample_count)
                for bucket in histogram.buckets
                if bucket.sample_count
            ]
    return []


def _counts(feature: Any) -> dict[str, float]:
    return {bucket.label: bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets}


def most_moved(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[str, float]:
    """Returns the value whose share changed most, and the change.

    Args:
      before: Count of each value; not empty.
      after: Count of each value in the later data; not empty.
    """
    total, later = sum(before.values()), sum(after.values())
    changes = {value: abs(after.get(value, 0) / later - before.get(value, 0) / total) for value in {*before, *after}}
    most = max(sorted(changes), key=lambda value: changes[value])
    return most, changes[most]


def jensen_shannon(before: Sequence[_Bucket], after: Sequence[_Bucket]) -> float:
    """Returns the Jensen-Shannon divergence of two histograms, 0 (the same) to 1 (nothing in common).

    If a boundary of the other histogram cuts a bucket, its count is spread evenly over its width.
    """
    # An infinite edge cannot divide a bucket in proportion.
    edges = sorted({edge for low, high, _ in (*before, *after) for edge in (low, high) if math.isfinite(edge)})
    first, second = (_shares(buckets, edges) for buckets in (before, after))
    divergence = 0.0
    for piece in {*first, *second}:
        p, q = first.get(piece, 0.0), second.get(piece, 0.0)
        middle = (p + q) / 2
        divergence += sum(share * math.log2(share / middle) / 2 for share in (p, q) if share)
    return min(max(divergence, 0.0), 1.0)


def _shares(buckets: Sequence[_Bucket], edges: Sequence[float]) -> dict[tuple[float, float], float]:
    """Returns the share of each piece between two edges; a bucket of width 0 is its own piece."""
    total = sum(count for _, _, count in buckets)
    shares: dict[tuple[float, float], float] = {}
    for low, high, count in buckets:
        inside = [edge for edge in edges if low <= edge <= high]
        pieces = list(itertools.pairwise(inside)) or [(low, high)]
        for start, end in pieces:
            # A single piece may have width 0 or infinite edges.
            part = 1.0 if len(pieces) == 1 else (end - start) / (high - low)
            shares[start, end] = shares.get((start, end), 0.0) + count / total * part
    return shares
