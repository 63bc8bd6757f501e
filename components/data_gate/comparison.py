"""Drift of a table's features and its number of rows since the last blessed run, measured by TFDV.

Numbers and strings are compared. Timestamps, row numbers and paths always change
between runs, and so does the id column of the catalogue or the queries table. They
are not compared. TFDV's skew is not used either: it compares training with serving
data, and a pipeline of files has no serving data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from shortlist import keys

_STRING = statistics_pb2.FeatureNameStatistics.STRING
_FLOAT = statistics_pb2.FeatureNameStatistics.FLOAT

_NEVER_COMPARED = {
    "interactions": {keys.SOURCE_PATH},
    "candidates": {keys.SOURCE_PATH, keys.CANDIDATE_ID},
    "queries": {keys.SOURCE_PATH, keys.QUERY_ID},
}
# The text before the value in TFDV's sentence; TFDV 1.16 has no field for the value.
_VALUE_PREFIX = "maximum difference is: "


@dataclasses.dataclass(frozen=True)
class TableDrift:
    """Drift of one feature; the distance is from 0 to 1."""

    feature: str
    distance: float
    description: str
    """The distance in words."""


def drifts(
    table: str,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    threshold: float,
) -> list[TableDrift]:
    """Returns the drift of every feature that both tables have, sorted by name.

    For numbers the distance is the Jensen-Shannon divergence of the distributions. For
    strings it is the largest change of one value's share. If all values of a feature
    disappeared, the distance is 1, since TFDV does not measure this case.

    Args:
      table: interactions, candidates or queries.
      now: Statistics of this run's table.
      before: Statistics of the earlier table.
      threshold: Above it, the description of a string feature names the value whose share changed most.
    """
    current, earlier = _compared_features(table, now), _compared_features(table, before)
    # A changed type is the schema check's business: there is no distance between texts and numbers.
    common = {name: kind for name, kind in current.items() if earlier.get(name) == kind}
    present, was_present = _with_values(now), _with_values(before)
    gone = sorted(name for name in common if name in was_present - present)
    measured = {name: kind for name, kind in common.items() if name in was_present & present}
    found = _measure(now, before, measured, threshold) if measured else []
    found += [TableDrift(name, 1.0, "no values at all any more") for name in gone]
    return sorted(found, key=lambda drift: drift.feature)


def num_rows(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    """Returns the number of rows in the table of the statistics."""
    return int(statistics.datasets[0].num_examples)


def _compared_features(table: str, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, int]:
    """Returns the types of the compared features, by name."""
    return {
        name: feature.type
        for feature in statistics.datasets[0].features
        if (name := feature.path.step[0]) not in _NEVER_COMPARED[table] and feature.type in (_STRING, _FLOAT)
    }


def _with_values(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> set[str]:
    """Returns the names of the features with at least one value."""
    names = set()
    for feature in statistics.datasets[0].features:
        stats = feature.num_stats if feature.HasField("num_stats") else feature.string_stats
        if stats.common_stats.num_non_missing:
            names.add(feature.path.step[0])
    return names


def _measure(
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    features: Mapping[str, int],
    threshold: float,
) -> list[TableDrift]:
    anomalies = tfdv.validate_statistics(now, _schema(features, threshold), previous_statistics=before)
    most_changed = _most_changed_values(anomalies)
    found = []
    for info in anomalies.drift_skew_info:
        name = info.path.step[0]
        [measurement] = info.drift_measurements
        if features[name] == _FLOAT:
            description = f"Jensen-Shannon divergence {measurement.value:.2g}"
        elif name in most_changed:
            description = f"the share of {most_changed[name]!r} moved by {measurement.value:.2g}"
        else:
            description = f"the share moved by {measurement.value:.2g}"
        found.append(TableDrift(name, measurement.value, description))
    return found


def _schema(features: Mapping[str, int], threshold: float) -> schema_pb2.Schema:
    """Returns a schema whose only effect is that TFDV measures the drift of these features."""
    schema = schema_pb2.Schema()
    for name, kind in features.items():
        if kind == _FLOAT:
            feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
            feature.drift_comparator.jensen_shannon_divergence.threshold = threshold
        else:
            feature = schema.feature.add(name=name, type=schema_pb2.BYTES)
            feature.drift_comparator.infinity_norm.threshold = threshold
    return schema


def _most_changed_values(anomalies: anomalies_pb2.Anomalies) -> dict[str, str]:
    """Returns the value whose share changed most, by feature; TFDV gives it only within a sentence."""
    return {
        name: reason.description.partition(_VALUE_PREFIX)[2]
        for name, info in anomalies.anomaly_info.items()
        for reason in info.reason
        if _VALUE_PREFIX in reason.description
    }
