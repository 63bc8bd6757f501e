"""Turns TFDV's anomalies into sentences with a remedy."""

from __future__ import annotations

import dataclasses

from tensorflow_metadata.proto.v0 import anomalies_pb2

_Type = anomalies_pb2.AnomalyInfo.Type

# Remedies for the common anomalies; the others get a general one.
_REMEDIES = {
    _Type.SCHEMA_MISSING_COLUMN: "add the column to the file, or remove the feature from the schema and the config",
    _Type.SCHEMA_NEW_COLUMN: "add the feature to the schema, or remove it from the config",
    _Type.FEATURE_TYPE_LOW_FRACTION_PRESENT: "fill the missing values, or lower `presence.min_fraction`",
    _Type.FEATURE_TYPE_LOW_NUMBER_PRESENT: "fill the missing values, or lower `presence.min_count`",
    _Type.FEATURE_TYPE_LOW_NUMBER_VALUES: "fill the missing values, or lower `value_count.min`",
    _Type.FEATURE_TYPE_HIGH_NUMBER_VALUES: "check the delimiter, or raise `value_count.max`",
    _Type.ENUM_TYPE_UNEXPECTED_STRING_VALUES: "correct the values, or add them to the feature's `string_domain`",
    _Type.FLOAT_TYPE_SMALL_FLOAT: "correct the values, or lower `float_domain.min`",
    _Type.FLOAT_TYPE_BIG_FLOAT: "correct the values, or raise `float_domain.max`",
    _Type.INT_TYPE_SMALL_INT: "correct the values, or lower `int_domain.min`",
    _Type.INT_TYPE_BIG_INT: "correct the values, or raise `int_domain.max`",
}


@dataclasses.dataclass(frozen=True)
class TableProblem:
    """One anomaly of a feature, with its description and remedy."""

    table: str
    feature: str
    description: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.table}, feature {self.feature!r}: {self.description}; {self.remedy}"


def find_anomalies(table: str, anomalies: anomalies_pb2.Anomalies, schema_path: str) -> list[TableProblem]:
    """Returns the anomalies of severity ERROR, by feature name.

    Args:
      table: `interactions`, `candidates` or `queries`.
      anomalies: The output of ExampleValidator.
      schema_path: Path of the schema file, as remedies name it.
    """
    problems = []
    for feature, info in sorted(anomalies.anomaly_info.items()):
        if info.severity != anomalies_pb2.AnomalyInfo.ERROR:
            continue
        for reason in info.reason:
            remedy = _REMEDIES.get(reason.type, "correct the data, or the feature in the schema")
            description = " ".join(reason.description.split()).rstrip(".")
            problems.append(TableProblem(table, feature, description, f"{remedy} ({schema_path})"))
    if anomalies.HasField("dataset_anomaly_info"):
        for reason in anomalies.dataset_anomaly_info.reason:
            problems.append(TableProblem(table, "(all)", reason.description, "check that the file is complete"))
    return problems
