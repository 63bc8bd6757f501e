"""How far a table has moved since the last blessed run: its features' distributions and its rows, by TFDV.

Compared are numbers and strings. Times, rows and paths (all others that the flat
examples have) go forward by nature, and so does an id that each row of a table has
one of. TFDV's skew is not looked at: it compares training with serving data, of
which a pipeline of files has none.
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
_MOST = "maximum difference is: "


@dataclasses.dataclass(frozen=True)
class TableDrift:
    """How far one feature has moved, 0 to 1."""

    feature: str
    distance: float
    what: str
    """The distance in words."""


def drifts(
    table: str,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    threshold: float,
) -> list[TableDrift]:
    """Returns every feature that both have, by name.

    The distance is the Jensen-Shannon divergence of a number's distributions, and
    the largest change of one value's share for strings. A feature all of whose
    values are gone, which TFDV does not measure, has 1.

    Args:
      table: interactions, candidates or queries.
      now: Statistics of one dataset.
      before: The same of an earlier one.
      threshold: Above it, strings say which value moved most.
    """
    current, earlier = _compared(table, now), _compared(table, before)
    common = {name: kind for name, kind in current.items() if earlier.get(name) == kind}
    present, was_present = _with_values(now), _with_values(before)
    gone = sorted(name for name in common if name in was_present - present)
    measured = {name: kind for name, kind in common.items() if name in was_present & present}
    found = _measure(now, before, measured, threshold) if measured else []
    found += [TableDrift(name, 1.0, "no values at all any more") for name in gone]
    return sorted(found, key=lambda drift: drift.feature)


def num_rows(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    """Returns the rows of the table that the statistics are of."""
    return int(statistics.datasets[0].num_examples)


def _compared(table: str, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, int]:
    """Returns the type by name of the features that are compared."""
    return {
        name: feature.type
        for feature in statistics.datasets[0].features
        if (name := feature.path.step[0]) not in _NEVER_COMPARED[table] and feature.type in (_STRING, _FLOAT)
    }


def _with_values(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> set[str]:
    common = {
        feature.path.step[0]: (
            feature.num_stats if feature.HasField("num_stats") else feature.string_stats
        ).common_stats
        for feature in statistics.datasets[0].features
    }
    return {name for name, stats in common.items() if stats.num_non_missing}


def _measure(
    now: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    features: Mapping[str, int],
    threshold: float,
) -> list[TableDrift]:
    anomalies = tfdv.validate_statistics(now, _schema(features, threshold), previous_statistics=before)
    most_moved = _most_moved(anomalies)
    found = []
    for info in anomalies.drift_skew_info:
        name = info.path.step[0]
        [measurement] = info.drift_measurements
        if features[name] == _FLOAT:
            what = f"Jensen-Shannon divergence {measurement.value:.2g}"
        else:
            value = f" of {most_moved[name]!r}" if name in most_moved else ""
            what = f"the share{value} moved by {measurement.value:.2g}"
        found.append(TableDrift(name, measurement.value, what))
    return found


def _schema(features: Mapping[str, int], threshold: float) -> schema_pb2.Schema:
    """Returns a schema that has TFDV measure these features, and nothing else."""
    schema = schema_pb2.Schema()
    for name, kind in features.items():
        if kind == _FLOAT:
            feature = schema.feature.add(name=name, type=schema_pb2.FLOAT)
            feature.drift_comparator.jensen_shannon_divergence.threshold = threshold
        else:
            feature = schema.feature.add(name=name, type=schema_pb2.BYTES)
            feature.drift_comparator.infinity_norm.threshold = threshold
    return schema


def _most_moved(anomalies: anomalies_pb2.Anomalies) -> dict[str, str]:
    """Returns the value whose share changed most, by feature; TFDV tells it in its sentence alone."""
    return {
        name: reason.description.partition(_MOST)[2]
        for name, info in anomalies.anomaly_info.items()
        for reason in info.reason
        if _MOST in reason.description
    }
