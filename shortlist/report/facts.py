"""Content of a report, read from a run's folder, ML Metadata and small files of its artifacts.

Missing content is None or empty. Content is missing if the run ended early, if an older version did not write it, or
if it was deleted.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import anomalies_pb2

from shortlist import keys
from shortlist.lineage import drift, fingerprints
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.measurements import Measurements, measurements
from shortlist.lineage.store import Store
from shortlist.lineage.why import Verdict, run_verdict
from shortlist.model_files import SAVED_MODEL_FOLDER, TRAINED_FILE
from shortlist.records import nodes, properties
from shortlist.records.artifacts import index_of
from shortlist.records.files import VALUES_FILE
from shortlist.runs import record
from shortlist.runs.record import Record
from shortlist.serving import versions
from shortlist.summary import DataSummary, Summary, read_summary
from shortlist.workspace import Workspace

_ANSWERS_FILE = "answers.json"
_ANOMALIES_FILE = f"Split-{keys.SPLIT_ALL}/SchemaDiff.pb"
_GATE_FILE = "report.json"
_MOST_RUNS = 10


@dataclasses.dataclass(frozen=True)
class Facts:
    """Content of one run's report."""

    name: str
    """The pipeline's name."""
    record: Record
    executions: Sequence[Execution]
    """The run's executions, in the order of their starts."""
    workspace_in_use: bool
    """Whether a command is writing to the workspace now: an unfinished execution may then still finish."""
    producers: Mapping[str, Execution] = dataclasses.field(default_factory=dict)
    """The execution that did the work, by node, of the nodes that found their result in the cache."""
    verdict: Verdict | None = None
    """None without ML Metadata."""
    served_version: int | None = None
    """The version that is served now."""
    history: Sequence[Record] = ()
    """The latest runs up to this one that measured a model, the oldest first."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def summary(self) -> Summary | None:
        """The run's summary; None if the run died before writing it."""
        return self.record.summary

    @property
    def data(self) -> DataSummary | None:
        """The summary's counts of the input data."""
        return self.summary.data if self.summary else None

    @property
    def eval_rows(self) -> str:
        """The number of eval rows in words."""
        if self.data is None or keys.SPLIT_EVAL not in self.data.rows:
            return "the eval rows"
        rows = self.data.rows[keys.SPLIT_EVAL]
        sample = int(self.summary.training.get("eval_rows", rows)) if self.summary else rows
        return f"{sample:,} of {rows:,} eval rows" if sample < rows else f"{rows:,} eval rows"

    @functools.cached_property
    def nodes(self) -> dict[str, Execution]:
        """Executions by node."""
        return {execution.node: execution for execution in self.executions}

    @property
    def pruned(self) -> bool:
        """Whether some of the run's artifacts were deleted, so that an earlier report may contain more."""
        return any(
            artifact.deleted
            for execution in self.executions
            for artifacts in execution.outputs.values()
            for artifact in artifacts
        )

    @property
    def unchanged(self) -> bool:
        """Whether the run did nothing itself, as every step found its result in the cache."""
        done = [execution for execution in self.executions if not nodes.is_resolver(execution.node)]
        return bool(done) and all(execution.state == "CACHED" for execution in done)

    @property
    def worker(self) -> str | None:
        """Id of the run that did the last step's work; None if this run did it, or if that is not known."""
        last = next((e for e in reversed(self.executions) if not nodes.is_resolver(e.node)), None)
        if last is None or last.node not in self.producers:
            return None
        return self.producers[last.node].run_id or None

    @functools.cached_property
    def worker_summaries(self) -> dict[str, Summary]:
        """Summaries, by run id, of the runs that did the work of cached nodes."""
        found = {}
        for run_id in sorted({execution.run_id for execution in self.producers.values()}):
            try:
                found[run_id] = read_summary(self.record.folder.parent / run_id / "summary.json")
            except (OSError, ValueError):
                continue
        return found

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """Settings by dotted name."""
        return self.record.config()

    @property
    def with_seen(self) -> bool:
        """Whether gates and early stopping went by the metrics with seen items."""
        return self.config.get("evaluate.repeat_consumption") is True

    @functools.cached_property
    def measurements(self) -> Measurements | None:
        """The Evaluator's metrics."""
        return measurements(self.nodes.get(nodes.EVALUATOR), self.summary)

    @functools.cached_property
    def training(self) -> list[dict[str, Any]]:
        """The training log, one entry per evaluation: epoch, step, loss, eval metrics, seconds."""
        model = self._output(nodes.TRAINER, "model")
        train = _json(model, f"{SAVED_MODEL_FOLDER}/{TRAINED_FILE}").get("train")
        if not isinstance(train, dict) or not isinstance(train.get("log"), list):
            return []
        return [line for line in train["log"] if isinstance(line, dict)]

    @functools.cached_property
    def answers(self) -> dict[str, Any]:
        """The model's recommendations for test queries, see `components.answers.answers`."""
        return _json(self._output(nodes.ANSWERS, "answers"), _ANSWERS_FILE)

    @functools.cached_property
    def answers_problem(self) -> str:
        """The reason that there are no recommendations; empty if there are some, or if the node did not run."""
        output = self._output(nodes.ANSWERS, "answers")
        if output is None:
            return ""
        return str(output.properties.get(properties.PROBLEM, ""))

    @functools.cached_property
    def index(self) -> dict[str, Any]:
        """The Indexer's parameters and measurements."""
        return index_of(self._output(nodes.INDEXER, "model"))

    @property
    def test_rows(self) -> str | None:
        """A fingerprint of the test rows; None if the run made no windows."""
        if self._output(nodes.WINDOWS, "examples") is None:
            return None
        return fingerprints.test_rows(self.nodes)

    @functools.cached_property
    def gate(self) -> dict[str, Any]:
        """The data gate's measurements."""
        return _json(self._output(nodes.DATA_GATE, "report"), _GATE_FILE)

    def value_counts(self, table: str) -> dict[str, list[tuple[float, int]]]:
        """Returns exact counts of a table's whole numbers, by feature; empty if an older version read the table."""
        found = _json(self._output(nodes.gen(table), "examples"), VALUES_FILE)
        return {
            name: [(float(value), int(rows)) for value, rows in pairs]
            for name, pairs in found.items()
            if isinstance(pairs, list)
        }

    def statistics(self, table: str) -> Any | None:
        """Returns TFDV's DatasetFeatureStatisticsList of a table."""
        artifact = self._output(nodes.statistics(table), "statistics")
        if artifact is None:
            return None
        return drift.read(artifact.uri)

    def anomalies(self, table: str) -> dict[str, str] | None:
        """Returns deviations from the schema, as sentences by feature; None if the table was not validated."""
        artifact = self._output(nodes.validator(table), "anomalies")
        if artifact is None:
            return None
        anomalies = anomalies_pb2.Anomalies()
        try:
            anomalies.ParseFromString(pathlib.Path(artifact.uri, _ANOMALIES_FILE).read_bytes())
        except (OSError, DecodeError):
            return None
        sentences = {name: info.description for name, info in sorted(anomalies.anomaly_info.items())}
        if table_sentence := anomalies.dataset_anomaly_info.description:
            sentences["(the table)"] = table_sentence
        return sentences

    def _output(self, node: str, key: str) -> Artifact | None:
        execution = self.nodes.get(node)
        if execution is None or execution.state not in ("COMPLETE", "CACHED"):
            return None
        return execution.output(key)


def read(workspace: Workspace, run_id: str) -> Facts:
    """Returns the content of a run's report.

    Args:
      workspace: The run's workspace.
      run_id: The run's id, or `latest` for the newest run that ended.

    Raises:
      BadInputError: There is no such run.
    """
    run = record.one(workspace, run_id)
    verdict, producers = None, {}
    if workspace.has_metadata:
        store = Store.of(workspace)
        verdict = run_verdict(store, run.run_id, workspace.is_open, run.summary, has_folder=True)
        producers = _producers(store, verdict.executions)
    return Facts(
        workspace.name,
        run,
        verdict.executions if verdict else [],
        workspace.is_open and run.status == "running",
        producers,
        verdict,
        versions.served_version(workspace.serving_dir),
        record.measured_until(workspace, run.run_id, _MOST_RUNS),
    )


def _producers(store: Store, executions: Sequence[Execution]) -> dict[str, Execution]:
    cached = [execution for execution in executions if execution.state == "CACHED"]
    ids = {artifact.id for execution in cached for outputs in execution.outputs.values() for artifact in outputs}
    return {execution.node: execution for execution in store.producers(ids)} if ids else {}


def _json(artifact: Artifact | None, file: str) -> dict[str, Any]:
    if artifact is None:
        return {}
    try:
        content = json.loads(pathlib.Path(artifact.uri, file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
