"""Checks each table's anomalies and statistics, and raises an error if a check with action `error` fails."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.statistics_gen import executor as statistics_gen
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.data_gate import checks
from shortlist import keys
from shortlist.config.gate import Gate
from shortlist.errors import DataError
from shortlist.records import contents, properties
from shortlist.records.nodes import TABLES

_ANOMALIES_FILE = "SchemaDiff.pb"
_MAX_SHOWN = 5


def statistics_key(table: str) -> str:
    """Returns the input key of a table's statistics."""
    return f"{table}_statistics"


def before_key(table: str) -> str:
    """Returns the input key of a table's statistics in the last blessed run."""
    return f"{table}_before"


class Executor(base_executor.BaseExecutor):
    """Writes `report.json`, or raises `DataError` if a check with action `error` fails."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks every table of the input.

        Raises:
          DataError: A check with action `error` failed. The message lists the first 5 failures with their remedies.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        gate = Gate.model_validate_json(exec_properties[properties.GATE])
        tables = [table for table in TABLES if input_dict.get(table)]
        report = checks.GateReport()
        for table in tables:
            anomalies = _read_anomalies(input_dict[table])
            checks.check_schema(table, anomalies, f"{exec_properties['schemas']}/{table}.pbtxt", gate, report.findings)
        _compare(tables, input_dict, gate, report)
        if report.findings.errors:
            raise DataError(_sentence(report.findings.errors))
        _write(report, tables, artifact_utils.get_single_instance(output_dict["report"]))


def _compare(
    tables: list[str], input_dict: dict[str, list[types.Artifact]], gate: Gate, report: checks.GateReport
) -> None:
    before = {table: input_dict.get(before_key(table), []) for table in tables}
    for table in tables:
        if not any(before.values()):
            report.not_compared[table] = "no earlier blessed run on other data"
            continue
        if not before[table]:
            report.not_compared[table] = "the last blessed run had no such table"
            continue
        path = _statistics_path(before[table])
        if not fileio.exists(path):
            report.not_compared[table] = f"the last blessed run's statistics are gone from {path}"
        elif damage := _damage(before[table]):
            report.not_compared[table] = f"the last blessed run's statistics are damaged: {damage}"
        else:
            report.compared_with[table] = path
            now = tfdv.load_stats_binary(_statistics_path(input_dict[statistics_key(table)]))
            checks.compare(table, now, tfdv.load_stats_binary(path), gate, report)


def _write(report: checks.GateReport, tables: list[str], artifact: types.Artifact) -> None:
    artifact.split_names = artifact_utils.encode_split_names([keys.SPLIT_ALL])
    # Always 1: a run that the gate stops leaves no report.
    artifact.set_int_custom_property(properties.BLESSED, 1)
    artifact.set_string_custom_property(properties.WARNINGS, report.findings.warnings_json)
    artifact.set_string_custom_property(properties.NOT_COMPARED, json.dumps(report.not_compared))
    contents = {
        "checked": tables,
        "problems": [],
        "warnings": report.findings.warnings,
        "compared_with": report.compared_with,
        "not_compared": report.not_compared,
        "volume": report.volume,
        "drift": report.drift,
    }
    with fileio.open(os.path.join(artifact.uri, "report.json"), "w") as file:
        file.write(json.dumps(contents, indent=2))


def _read_anomalies(artifacts: list[types.Artifact]) -> anomalies_pb2.Anomalies:
    path = os.path.join(artifact_utils.get_split_uri(artifacts, keys.SPLIT_ALL), _ANOMALIES_FILE)
    anomalies = anomalies_pb2.Anomalies()
    with fileio.open(path, "rb") as file:
        anomalies.ParseFromString(file.read())
    return anomalies


def _statistics_path(artifacts: list[types.Artifact]) -> str:
    return os.path.join(artifact_utils.get_split_uri(artifacts, keys.SPLIT_ALL), statistics_gen.DEFAULT_FILE_NAME)


def _damage(artifacts: list[types.Artifact]) -> str | None:
    artifact = artifact_utils.get_single_instance(artifacts)
    return contents.damage(artifact.uri, artifact.get_string_custom_property(properties.MANIFEST))


def _sentence(errors: list[str]) -> str:
    shown = errors[:_MAX_SHOWN]
    if len(errors) > _MAX_SHOWN:
        shown.append(f"and {len(errors) - _MAX_SHOWN} more")
    return f"the data does not pass the gate: {'; '.join(shown)}"
