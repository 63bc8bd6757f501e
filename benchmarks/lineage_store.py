"""Benchmark of `lineage` and `runs` on a store with many synthetic runs.

    python -m benchmarks.lineage_store --runs 1000

The store is a real ML Metadata file with the same nodes, artifacts, events and properties as the pipeline's (a test
compares them with a real run), but without the artifacts' files. One run in four is refused, fails, is killed, is not
blessed or has its index rejected. One in four comes from the cache. The data changes every twenty runs. Each command
runs in its own process. The figures are seconds of the whole process, the best of three.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import yaml
from ml_metadata.proto import metadata_store_pb2 as pb

from benchmarks import direct_runner
from shortlist.config import metadata
from shortlist.lineage.client import open_store
from shortlist.lineage.database import database
from shortlist.lineage.executions import Value
from shortlist.summary import Fingerprints, Seconds, Status, Summary, write_summary
from shortlist.workspace import Workspace

RESULTS = pathlib.Path(__file__).parent / "results"
NAME = "many-runs"
_MAX_SECONDS = 3.0
_RUNS_PER_DATA_SET = 20
_BASE = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
_TABLES = ("Interactions", "Candidates", "Queries")
_SPLIT = json.dumps(["all"])
_CONFIG = f"""name: {NAME}
workspace: {{workspace}}
data:
  schemas: schemas/movielens_100k
  interactions:
    path: interactions.csv
    query_id: user_id
    candidate_id: item_id
    timestamp: timestamp
  candidates:
    path: candidates.csv
    candidate_id: item_id
"""


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the pipeline with its types in ML Metadata."""

    type: str
    inputs: dict[str, tuple[str, str]]
    """Key to the producing node and its output key."""
    outputs: dict[str, str]
    """Key to artifact type."""


def _nodes() -> dict[str, Node]:
    tfx = "tfx.components"
    examples = {table.lower(): (f"{table}Gen", "examples") for table in _TABLES}
    statistics = {f"{table.lower()}_statistics": (f"{table}Statistics", "statistics") for table in _TABLES}
    anomalies = {table.lower(): (f"{table}Validator", "anomalies") for table in _TABLES}
    nodes = {}
    for table in _TABLES:
        nodes[f"{table}Gen"] = Node(
            "components.table_example_gen.component.TableExampleGen", {}, {"examples": "Examples"}
        )
        nodes[f"{table}Schema"] = Node(
            f"{tfx}.schema_gen.import_schema_gen.component.ImportSchemaGen", {}, {"schema": "Schema"}
        )
        nodes[f"{table}Statistics"] = Node(
            f"{tfx}.statistics_gen.component.StatisticsGen",
            {"examples": (f"{table}Gen", "examples")},
            {"statistics": "ExampleStatistics"},
        )
        nodes[f"{table}Validator"] = Node(
            f"{tfx}.example_validator.component.ExampleValidator",
            {"statistics": (f"{table}Statistics", "statistics"), "schema": (f"{table}Schema", "schema")},
            {"anomalies": "ExampleAnomalies"},
        )
    windows, model = ("Windows", "examples"), ("Trainer", "model")
    return nodes | {
        "BlessedStatistics": Node("tfx.dsl.components.common.resolver.Resolver", {}, {}),
        "DataGate": Node(
            "components.data_gate.component.DataGate", {**anomalies, **statistics}, {"report": "ExampleAnomalies"}
        ),
        "Windows": Node(
            "components.windows.component.Windows",
            {**examples, "queries_schema": ("QueriesSchema", "schema"), "gate": ("DataGate", "report")},
            {"examples": "Examples", "schema": "Schema"},
        ),
        "Transform": Node(
            f"{tfx}.transform.component.Transform",
            {"examples": windows, "schema": ("Windows", "schema")},
            {"transform_graph": "TransformGraph"},
        ),
        "CandidateTransform": Node(
            f"{tfx}.transform.component.Transform",
            {"examples": examples["candidates"], "schema": ("CandidatesSchema", "schema")},
            {"transform_graph": "TransformGraph"},
        ),
        "Trainer": Node(
            "components.trainer.component.RetrievalTrainer",
            {
                "examples": windows,
                "schema": ("Windows", "schema"),
                "transform_graph": ("Transform", "transform_graph"),
                "candidates": examples["candidates"],
                "candidate_transform_graph": ("CandidateTransform", "transform_graph"),
            },
            {"model": "Model", "model_run": "ModelRun"},
        ),
        "BlessedModel": Node("tfx.dsl.components.common.resolver.Resolver", {}, {}),
        "Baseline": Node(
            "components.baseline.component.Baseline",
            {"candidate": model, "catalogue": examples["candidates"]},
            {"model": "Model"},
        ),
        "Evaluator": Node(
            "components.evaluator.component.RankEvaluator",
            {
                "examples": windows,
                "schema": ("Windows", "schema"),
                "model": model,
                "baseline_model": ("Baseline", "model"),
                "candidates": examples["candidates"],
            },
            {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"},
        ),
        "Answers": Node(
            "components.answers.component.Answers",
            {"model": model, "examples": windows, "candidates": examples["candidates"]},
            {"answers": "InferenceResult"},
        ),
        "Indexer": Node(
            "components.indexer.component.Indexer",
            {
                "trained_model": model,
                "model_blessing": ("Evaluator", "blessing"),
                "evaluation": ("Evaluator", "evaluation"),
                "candidates": examples["candidates"],
                "examples": windows,
            },
            {"model": "Model", "exact_model": "Model", "blessing": "ModelBlessing"},
        ),
        "ServingCheck": Node(
            "components.serving_check.component.ServingCheck",
            {
                "model": ("Indexer", "model"),
                "exact_model": ("Indexer", "exact_model"),
                "model_blessing": ("Indexer", "blessing"),
                "examples": windows,
            },
            {"blessing": "InfraBlessing"},
        ),
        "Pusher": Node(
            "components.pusher.component.TwinPusher",
            {
                "model": ("Indexer", "model"),
                "exact_model": ("Indexer", "exact_model"),
                "model_blessing": ("Indexer", "blessing"),
                "infra_blessing": ("ServingCheck", "blessing"),
            },
            {"pushed_model": "PushedModel"},
        ),
    }


NODES = _nodes()


@dataclasses.dataclass(frozen=True)
class RunEnd:
    """The end of a run: its status, its last node and the state of that node."""

    status: Status
    last: str = "Pusher"
    """Id of the last node."""
    state: str = "COMPLETE"
    """State of the last node."""

    @property
    def blessed(self) -> bool:
        """Whether the Evaluator blesses the model."""
        return self.status in (Status.PUSHED, Status.INDEX_REJECTED, Status.CHECK_FAILED)


PUSHED = RunEnd(Status.PUSHED)
ENDS = {
    1: RunEnd(Status.NOT_BLESSED),
    3: RunEnd(Status.FAILED, "Trainer", "FAILED"),
    5: RunEnd(Status.INDEX_REJECTED),
    7: RunEnd(Status.REFUSED, "DataGate", "FAILED"),
    9: RunEnd(Status.FAILED, "Evaluator", "RUNNING"),
}
"""Ends of runs by the last digit of the run's number; all others push."""


class _Graph:
    """The executions and artifacts of one run."""

    def __init__(self) -> None:
        self.executions: dict[str, pb.Execution] = {}
        self.artifacts: dict[tuple[str, str], pb.Artifact | int] = {}
        """Artifact by node and output key; an int is the id of an artifact of an earlier run."""
        self.ids: dict[tuple[str, str], int] = {}

    def add(self, node: str, execution: pb.Execution) -> None:
        self.executions[node] = execution

    def add_output(self, node: str, key: str, artifact: pb.Artifact | int) -> None:
        self.artifacts[node, key] = artifact

    def events(self, new_artifacts: list[tuple[str, str]]) -> list[tuple[int, int | None, pb.Event]]:
        """Returns the edges of `put_lineage_subgraph`.

        Args:
          new_artifacts: (node, output key) of the artifacts that this run makes.

        Returns:
          A tuple per event: index of the execution, index in `new_artifacts` (None for an earlier artifact), event.
        """
        edges: list[tuple[int, int | None, pb.Event]] = []
        for index, name in enumerate(self.executions):
            read = [(pb.Event.INPUT, key, source) for key, source in NODES[name].inputs.items()]
            written = [(pb.Event.OUTPUT, key, (name, key)) for key in NODES[name].outputs]
            for kind, key, source in read + written:
                artifact = self.artifacts.get(source)
                if isinstance(artifact, int):
                    edges.append((index, None, _event(kind, key, artifact)))
                elif artifact is not None:
                    edges.append((index, new_artifacts.index(source), _event(kind, key, None)))
        return edges


def _run_id(number: int) -> str:
    return (_BASE + datetime.timedelta(hours=number)).strftime("%Y%m%dT%H%M%SZ")


class StoreWriter:
    """Writes synthetic runs to a new store.

    Args:
      root: Folder of the workspace, which must not exist.
      name: The pipeline's name.
      server: Server of ML Metadata; by default a file in the workspace.
    """

    def __init__(
        self,
        root: pathlib.Path,
        name: str = NAME,
        server: metadata.Server | None = None,
    ):
        self.workspace = Workspace(root, name, server)
        self._database = database(self.workspace)
        self._database.begin_run(_run_id(0))
        self._store = open_store(self._database.connection())
        self._contexts = {
            kind: self._store.put_context_type(pb.ContextType(name=kind))
            for kind in ("pipeline", "pipeline_run", "node", "execution_cache")
        }
        self._executions = {
            name: self._store.put_execution_type(pb.ExecutionType(name=name))
            for name in sorted({node.type for node in NODES.values()})
        }
        self._artifacts = {
            name: self._store.put_artifact_type(pb.ArtifactType(name=name))
            for name in sorted({name for node in NODES.values() for name in node.outputs.values()})
        }
        pipeline = pb.Context(type_id=self._contexts["pipeline"], name=name)
        existing = self._store.get_context_by_type_and_name("pipeline", name)
        self._pipeline = existing.id if existing else self._store.put_contexts([pipeline])[0]
        self._node_contexts = dict(
            zip(
                NODES,
                self._store.put_contexts(
                    [pb.Context(type_id=self._contexts["node"], name=f"{name}.{node}") for node in NODES]
                ),
                strict=True,
            )
        )
        self._cache: dict[tuple[str, str], dict[str, int]] = {}
        self._executions_by_run: dict[str, list[int]] = {}

    def run(self, number: int, ends: RunEnd = PUSHED, seed: int | None = None, data: str = "0") -> str:
        """Writes one run and returns its id.

        Args:
          number: Number of the run, from which its id and pushed version follow.
          ends: The end of the run.
          seed: A run with the seed and data of an earlier run comes from the cache; by default the number.
          data: Label of the interactions' content.
        """
        run_id = _run_id(number)
        self._database.begin_run(run_id)
        seed = number if seed is None else seed
        graph = _Graph()
        for name, node in NODES.items():
            cached = self._cache.get((name, _cache_key(name, data, seed, ends)), {})
            state = "CACHED" if cached else "COMPLETE"
            if name == ends.last and ends.state != "COMPLETE":
                state = ends.state
            execution = pb.Execution(
                type_id=self._executions[node.type], last_known_state=pb.Execution.State.Value(state)
            )
            _set(execution, _execution_properties(name, data, seed))
            graph.add(name, execution)
            if state in ("COMPLETE", "CACHED"):
                for key, kind in node.outputs.items():
                    artifact = pb.Artifact(
                        type_id=self._artifacts[kind],
                        uri=str(self.workspace.pipeline_root / name / key / f"{number}"),
                        state=pb.Artifact.LIVE,
                    )
                    _set(artifact, _artifact_properties(name, key, number, data, ends, self.workspace))
                    graph.add_output(name, key, cached.get(key, artifact))
            if name == ends.last:
                break
        self._executions_by_run[run_id] = self._put(run_id, graph)
        for name, key in graph.artifacts:
            outputs = self._cache.setdefault((name, _cache_key(name, data, seed, ends)), {})
            outputs[key] = graph.ids[name, key]
        self._write_folder(run_id, number, ends, data, seed)
        return run_id

    def _put(self, run_id: str, graph: _Graph) -> list[int]:
        """Stores a run and returns the ids of its executions."""
        contexts = [
            pb.Context(id=self._pipeline, type_id=self._contexts["pipeline"], name=self.workspace.name),
            pb.Context(type_id=self._contexts["pipeline_run"], name=run_id),
        ]
        new = {output: artifact for output, artifact in graph.artifacts.items() if isinstance(artifact, pb.Artifact)}
        ids, artifact_ids, _ = self._store.put_lineage_subgraph(
            list(graph.executions.values()), list(new.values()), contexts, graph.events(list(new)), True
        )
        associations = [
            pb.Association(execution_id=execution_id, context_id=self._node_contexts[name])
            for execution_id, name in zip(ids, graph.executions, strict=True)
        ]
        self._store.put_attributions_and_associations([], associations)
        graph.ids = dict(zip(new, artifact_ids, strict=True)) | {
            output: artifact for output, artifact in graph.artifacts.items() if isinstance(artifact, int)
        }
        self._set_blessed_model(graph)
        return list(ids)

    def _set_blessed_model(self, graph: _Graph) -> None:
        """Sets the model's id on the blessing, as the Evaluator does. The id is known only after the run is stored."""
        output = ("Evaluator", "blessing")
        blessing = graph.artifacts.get(output)
        if isinstance(blessing, pb.Artifact):
            blessing.id = graph.ids[output]
            _set(blessing, {"current_model_id": graph.ids["Trainer", "model"]})
            self._store.put_artifacts([blessing])

    def spread_in_time(self) -> None:
        """Sets the times of each execution: from the time of the run's id on, 9 seconds apart, 8 seconds long.

        ML Metadata itself only sets the current time.
        """
        with sqlite3.connect(self.workspace.metadata_path) as database:
            for run_id, ids in self._executions_by_run.items():
                start = datetime.datetime.strptime(run_id, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
                start_ms = int(start.timestamp() * 1000)
                starts_ms = [start_ms + 9000 * index for index in range(len(ids))]
                rows = [(begin, begin + 8000, number) for begin, number in zip(starts_ms, ids, strict=True)]
                database.executemany(
                    "UPDATE Execution SET create_time_since_epoch = ?, last_update_time_since_epoch = ? WHERE id = ?",
                    rows,
                )

    def _write_folder(self, run_id: str, number: int, ends: RunEnd, data: str, seed: int) -> None:
        folder = self.workspace.run_dir(run_id)
        folder.mkdir(parents=True)
        config = yaml.safe_load(_CONFIG.format(workspace=self.workspace.root)) | {"train": {"seed": seed}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        if ends.state == "RUNNING":
            return
        accuracy, version = _accuracy(number), _version(number)
        fields: dict[str, object] = {
            "run_id": run_id,
            "pipeline": self.workspace.name,
            "status": ends.status,
            "seconds": Seconds(total=200.0, components={"Trainer": 100.0}),
            "peak_rss_mb": 1500.0,
            "fingerprints": Fingerprints(data={"interactions": _sha256(data)}, config=_sha256("c"), code="0"),
        }
        if ends.status not in (Status.REFUSED, Status.FAILED):
            metrics = {"factorized_top_k/top_10_categorical_accuracy": accuracy, "ndcg_at_10": accuracy / 2}
            fields["metrics"] = {"overall": {**metrics, "example_count": 943.0}}
        if ends.status is Status.PUSHED:
            fields["pushed"] = {"version": version, "path": str(self.workspace.serving_dir / str(version))}
        else:
            fields["reasons"] = [f"the reason of run {number}"]
        write_summary(Summary.model_validate(fields), folder)
        self.workspace.point_latest_at(run_id)


def _accuracy(number: int) -> float:
    return 0.2 + number % 7 / 1000


def _version(number: int) -> int:
    return 1_700_000_000 + number


def _cache_key(node: str, data: str, seed: int, ends: RunEnd) -> str:
    if node in ("BlessedStatistics", "BlessedModel"):
        return f"never/{seed}/{ends.status}"
    if node.startswith(("Candidate", "Queries")):
        return ""
    if node in ("Trainer", "Baseline", "Evaluator", "Answers", "Indexer", "ServingCheck", "Pusher"):
        return f"{data}/{seed}"
    return data


def _execution_properties(node: str, data: str, seed: int) -> dict[str, Value]:
    code = _sha256(f"code of {node}")
    if node.endswith("Gen"):
        table = node.removesuffix("Gen").lower()
        return {
            "content_sha256": _sha256(data if table == "interactions" else table),
            "data_path": f"{table}.csv",
            "data_root": "/data",
            "table": json.dumps({"kind": table, "columns": [{"name": f"column {n}"} for n in range(12)]}),
            "code_sha256": code,
        }
    if node.endswith("Schema"):
        return {"schema_file": f"/schemas/{_sha256(node)[:16]}/{node.removesuffix('Schema').lower()}.pbtxt"}
    if node in ("Transform", "CandidateTransform"):
        features = {"age": {"type": "numeric"}, "occupation": {"type": "category", "max_vocabulary": 20000}}
        return {
            "preprocessing_fn": "components.transform.preprocessing.queries_preprocessing_fn",
            "splits_config": '{"analyze": ["train"]}',
            "custom_config": json.dumps({"code_sha256": code, "features": features}),
        }
    if node == "Trainer":
        tower = {"kind": "history", "blocks": 2, "heads": 1, "dropout": 0.2}
        train = {"batch_size": 16, "epochs": 24, "learning_rate": 0.002, "loss": {"kind": "corpus"}, "seed": seed}
        config = {"model": {"query_tower": tower, "embedding_dim": 64}, "train": train, "code_sha256": code}
        return {"run_fn": "components.trainer.run_fn.run_fn", "custom_config": json.dumps(config)}
    if node == "Windows":
        return {
            "config": json.dumps({"split": {"kind": "leave_last_out"}, "windows": {"max_history": 100}}),
            "interactions_sha256": _sha256(data),
            "code_sha256": code,
        }
    if node == "Indexer":
        return {"code_sha256": code, "config": json.dumps({"kind": "auto", "k": 100})}
    if node in ("DataGate", "Baseline", "Answers", "ServingCheck"):
        return {"code_sha256": code}
    return {}


def _artifact_properties(
    node: str, key: str, number: int, data: str, ends: RunEnd, workspace: Workspace
) -> dict[str, Value]:
    common: dict[str, Value] = {"tfx_version": "1.16.0", "is_external": 0}
    if node.endswith("Gen"):
        rows = 100_000 + int(_sha256(data)[:3], 16) if node == "InteractionsGen" else 1682
        counts: dict[str, Value] = {
            "rows": rows,
            "files": 1,
            "bytes": 20 * rows,
            "dropped_filter": 0,
            "dropped_duplicate": 0,
        }
        return {**common, **counts, "split_names": _SPLIT}
    if key == "examples":
        stats = {
            "candidates": 1682,
            "interactions": 100_000,
            "dropped": {"unknown_candidate": 0},
            "queries": dict.fromkeys(("train", "eval", "test"), 943),
            "rows": {"train": 98114, "eval": 943, "test": 943},
            "tied_targets": 0.44,
            "repeat_targets": 0.0,
            "unseen_queries": 0.0,
        }
        return {**common, "stats": json.dumps(stats), "warnings": "[]", "split_fingerprint": _sha256("split")}
    if node == "DataGate":
        return {**common, "blessed": 1, "warnings": "[]", "not_compared": "{}"}
    if node == "Baseline":
        if number == 0:
            return {**common, "skipped": 1, "reason": "no earlier blessed model"}
        return {**common, "skipped": 0}
    if node == "Indexer" and key == "model" and ends.blessed:
        index = {"kind": "scann", "k": 100, "recall_at_k": 0.998, "p50_ms": 0.5, "p99_ms": 0.9, "reason": ""}
        trials = [
            {"leaves_to_search": leaves, "reorder": 120, "recall": recall, "p50_ms": p50_ms}
            for leaves, recall, p50_ms in ((2, 0.91, 0.2), (4, 0.97, 0.3), (6, 0.998, 0.4), (8, 0.999, 0.5))
        ]
        params = {"leaves_to_search": 6, "reorder": 120, "num_leaves": 41, "searchers": 1}
        index |= {"trials": trials, "params": params, "exact_p50_ms": 1.5, "min_recall": 0.99}
        return {**common, "index": json.dumps(index)}
    if node == "Evaluator" and key == "evaluation":
        shares = {
            "factorized_top_k/top_10_categorical_accuracy": _accuracy(number),
            "popularity/top_10_categorical_accuracy": 0.0838,
        }
        return {**common, "metrics": json.dumps({"example_count": 943.0, **shares})}
    if node == "Evaluator":
        reasons = ["top_10_categorical_accuracy 0.2 is 2.4 times most popular's 0.0838; at least 1.05 is required"]
        return {**common, "blessed": int(ends.blessed), "reasons": json.dumps(reasons)}
    if key == "blessing":
        return {**common, "blessed": int(ends.status is Status.PUSHED), "reasons": "[]"}
    if node == "Pusher" and ends.status is Status.PUSHED:
        destination = str(workspace.serving_dir / str(_version(number)))
        pushed: dict[str, Value] = {
            "pushed": 1,
            "pushed_version": str(_version(number)),
            "pushed_destination": destination,
        }
        return {**common, **pushed, "reasons": "[]"}
    if node == "Pusher":
        return {**common, "pushed": 0, "reasons": json.dumps([f"the reason of run {number}"])}
    return common


def _event(kind: int, key: str, artifact_id: int | None) -> pb.Event:
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    if artifact_id is not None:
        event.artifact_id = artifact_id
    return event


def _set(proto: pb.Execution | pb.Artifact, properties: dict[str, Value]) -> None:
    for name, value in properties.items():
        kind = "string_value" if isinstance(value, str) else "int_value"
        setattr(proto.custom_properties[name], kind, value)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make(root: pathlib.Path, runs: int) -> StoreWriter:
    """Makes a workspace with `runs` runs."""
    writer = StoreWriter(root)
    for number in range(runs):
        ends, seed = PUSHED, number
        # In the first half of each hundred, one run in two ends without a push.
        if number % 100 < 50:
            ends = ENDS.get(number % 10, PUSHED)
        # In the second half, one in two repeats the run before and comes from the cache.
        elif number % 10 in ENDS:
            seed = number - 1
        writer.run(number, ends, seed, str(number // _RUNS_PER_DATA_SET))
    writer.spread_in_time()
    return writer


COMMANDS = {
    "lineage": ["lineage"],
    "lineage --served": ["lineage", "--served"],
    "lineage --why RUN": ["lineage", "--why", "20260102T010000Z"],
    "lineage --impact FINGERPRINT": ["lineage", "--impact", _sha256("0")[:12]],
    "lineage --impact RUN, whose catalogue all runs used": ["lineage", "--impact", "20260101T000000Z"],
    "lineage diff A B": ["lineage", "diff", "20260101T000000Z", "20260102T000000Z"],
    "lineage --html FILE": ["lineage", "--html", os.devnull],
    "runs": ["runs"],
    "runs --where KEY=VALUE": ["runs", "--where", "train.seed=8"],
    "runs compare A B": ["runs", "compare", "20260101T000000Z", "latest"],
    "runs prune": ["runs", "prune"],
}
_TRIES = 3


def measure(config: pathlib.Path, arguments: Sequence[str]) -> dict[str, float]:
    """Returns the seconds and CPU seconds of a command's whole process, the best of three tries."""
    command = [sys.executable, "pipeline_runner.py", *arguments, "--config", str(config)]
    tries = []
    for _ in range(_TRIES):
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        tries.append({"seconds": round(time.monotonic() - start, 2), "cpu_seconds": round(busy, 2)})
    return min(tries, key=lambda attempt: attempt["seconds"])


def main(argv: Sequence[str] | None = None) -> None:
    """Makes a store, measures each command on it and writes the figures. Exits with 1 if a command takes over 3 s."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--keep", type=pathlib.Path, help="folder of a workspace to make and keep")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="folder of the figures")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or pathlib.Path(scratch) / "workspace"
        writer = make(root, args.runs)
        config = pathlib.Path(scratch) / "many_runs.yaml"
        config.write_text(_CONFIG.format(workspace=root), encoding="utf-8")
        measured = {name: measure(config, arguments) for name, arguments in COMMANDS.items()}
        result = {
            "runs": args.runs,
            "store_mb": round(writer.workspace.metadata_path.stat().st_size / 2**20, 1),
            "commands": measured,
            "load_average": os.getloadavg()[0],
            "machine": direct_runner.machine(),
        }
    args.results.mkdir(exist_ok=True)
    (args.results / "lineage_store.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, times in measured.items():
        print(f"{times['seconds']:6.2f} s, {times['cpu_seconds']:5.2f} s of CPU  {name}")
    sys.exit(max(times["seconds"] for times in measured.values()) > _MAX_SECONDS)


if __name__ == "__main__":
    main()
