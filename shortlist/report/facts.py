"""All that a report tells of, read from a run's folder, ML Metadata and the small files of its artifacts.

Whatever is missing, because the run did not come that far, an older version did not leave it or it was deleted, is
None or empty.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2

from shortlist import keys
from shortlist.lineage import drift, facts
from shortlist.lineage.measurements import Measurements, measurements
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.model_files import SAVED_MODEL_FOLDER, TRAINED_FILE
from shortlist.records import nodes, properties
from shortlist.records.artifacts import index_of
from shortlist.runs import record
from shortlist.summary import Summary
from shortlist.workspace import Workspace

_ANSWERS_FILE = "answers.json"
_ANOMALIES_FILE = f"Split-{keys.SPLIT_ALL}/SchemaDiff.pb"
_GATE_FILE = "report.json"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of one run."""

    name: str
    """The pipeline's."""
    record: record.Record
    executions: Sequence[Execution]
    """In the order in which they started."""
    at_work: bool
    """Whether a command writes to the workspace now."""

    @property
    def run_id(self) -> str:
        """The run's."""
        return self.record.run_id

    @property
    def summary(self) -> Summary | None:
        """What the run left for programs; None if it died before."""
        return self.record.summary

    @functools.cached_property
    def nodes(self) -> dict[str, Execution]:
        """By node."""
        return {execution.node: execution for execution in self.executions}

    @property
    def pruned(self) -> bool:
        """Whether something of it was deleted since; what was told of it before cannot all be told again."""
        return any(
            artifact.deleted
            for execution in self.executions
            for artifacts in execution.outputs.values()
            for artifact in artifacts
        )

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """Settings by dotted name."""
        return self.record.config()

    @property
    def with_seen(self) -> bool:
        """Whether gates and early stopping went by the metrics with seen items."""
        return self.config.get("evaluate.repeat_consumption") is True

    @functools.cached_property
    def measured(self) -> Measurements | None:
        """What the Evaluator measured."""
        return measurements(self.nodes.get(nodes.EVALUATOR), self.summary)

    @functools.cached_property
    def training(self) -> list[dict[str, Any]]:
        """One entry an evaluation while it trained: epoch, step, loss, eval metrics, seconds."""
        model = self._output(nodes.TRAINER, "model")
        told = _json(model, f"{SAVED_MODEL_FOLDER}/{TRAINED_FILE}").get("train")
        log = told.get("log") if isinstance(told, dict) else None
        return [line for line in log if isinstance(line, dict)] if isinstance(log, list) else []

    @functools.cached_property
    def answers(self) -> dict[str, Any]:
        """What the model answered to test queries, see `components.answers.answers`."""
        return _json(self._output(nodes.ANSWERS, "answers"), _ANSWERS_FILE)

    @functools.cached_property
    def no_answers(self) -> str:
        """Why the model could not be asked; empty if it could, or if nobody tried."""
        output = self._output(nodes.ANSWERS, "answers")
        return str(output.properties.get(properties.PROBLEM, "")) if output else ""

    @functools.cached_property
    def index(self) -> dict[str, Any]:
        """What the Indexer built and measured."""
        return index_of(self._output(nodes.INDEXER, "model"))

    @property
    def test_rows(self) -> str | None:
        """Equal ones, equal test rows; None where no windows were made."""
        return facts.test_rows(self.nodes) if self._output(nodes.WINDOWS, "examples") else None

    @functools.cached_property
    def gate(self) -> dict[str, Any]:
        """What the gate of the data measured."""
        return _json(self._output(nodes.DATA_GATE, "report"), _GATE_FILE)

    def statistics(self, table: str) -> Any | None:
        """Returns TFDV's DatasetFeatureStatisticsList of a table."""
        artifact = self._output(nodes.statistics(table), "statistics")
        return drift.read(artifact.uri) if artifact else None

    def anomalies(self, table: str) -> dict[str, str] | None:
        """Returns what does not fit the schema, feature to sentence; None where it was not looked for."""
        artifact = self._output(nodes.validator(table), "anomalies")
        if artifact is None:
            return None
        found = anomalies_pb2.Anomalies()
        try:
            found.ParseFromString(pathlib.Path(artifact.uri, _ANOMALIES_FILE).read_bytes())
        except (OSError, DecodeError):
            return None
        told = {name: info.description for name, info in sorted(found.anomaly_info.items())}
        whole = found.dataset_anomaly_info.description
        return {**told, **({"(the table)": whole} if whole else {})}

    def _output(self, node: str, key: str) -> Artifact | None:
        execution = self.nodes.get(node)
        return execution.output(key) if execution and execution.state in ("COMPLETE", "CACHED") else None


def read(workspace: Workspace, run_id: str) -> Facts:
    """Returns what is known of a run.

    Args:
      workspace: Where it ran.
      run_id: Its id, or `latest`, the newest that ended.

    Raises:
      BadInputError: There is no such run.
    """
    found = record.one(workspace, run_id)
    store = Store.of(workspace) if workspace.has_metadata else None
    executions = store.run_executions(found.run_id) if store else []
    return Facts(workspace.name, found, executions, workspace.is_open and found.status == "running")


def _json(artifact: Artifact | None, file: str) -> dict[str, Any]:
    if artifact is None:
        return {}
    try:
        found = json.loads(pathlib.Path(artifact.uri, file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
