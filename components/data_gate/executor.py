"""Reads each table's anomalies and raises if one is an error."""

from __future__ import annotations

import json
import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.data_gate.problems import Problem, find_problems
from shortlist import keys
from shortlist.errors import DataError

TABLES = ("interactions", "candidates", "queries")
_ANOMALIES_FILE = "SchemaDiff.pb"
_MOST_SHOWN = 5


class Executor(base_executor.BaseExecutor):
    """Writes `report.json`; raises `DataError` instead when a table does not fit."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks every table that is there.

        Raises:
          DataError: Names table, feature, anomaly and remedy of the first few.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        problems: list[Problem] = []
        checked = []
        for table in TABLES:
            for artifact in input_dict.get(table, []):
                checked.append(table)
                schema_path = f"{exec_properties['schemas']}/{table}.pbtxt"
                problems += find_problems(table, _read_anomalies(artifact), schema_path)
        if problems:
            raise DataError(_sentence(problems))

        report = artifact_utils.get_single_instance(output_dict["report"])
        report.split_names = artifact_utils.encode_split_names([keys.SPLIT_ALL])
        report.set_int_custom_property("blessed", 1)
        with fileio.open(os.path.join(report.uri, "report.json"), "w") as file:
            file.write(json.dumps({"checked": checked, "problems": []}))


def _read_anomalies(artifact: types.Artifact) -> anomalies_pb2.Anomalies:
    path = os.path.join(artifact_utils.get_split_uri([artifact], keys.SPLIT_ALL), _ANOMALIES_FILE)
    anomalies = anomalies_pb2.Anomalies()
    with fileio.open(path, "rb") as file:
        anomalies.ParseFromString(file.read())
    return anomalies


def _sentence(problems: list[Problem]) -> str:
    shown = "; ".join(str(problem) for problem in problems[:_MOST_SHOWN])
    more = len(problems) - _MOST_SHOWN
    return f"the data does not fit its schema: {shown}" + (f"; and {more} more" if more > 0 else "")
