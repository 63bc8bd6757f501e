"""Resolver and gate in a real LocalDagRunner, run after run on one ML Metadata store and real TFDV statistics."""

import json
import pathlib
import shutil

import ml_metadata as mlmd
import pytest
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import local_dag_runner

from components.data_gate.component import DataGate, blessed_statistics
from shortlist.config.gate import Check, Gate
from shortlist.errors import DataError
from shortlist.lineage.store import Store
from shortlist.lineage.trace import upstream
from shortlist.records import contents, properties
from tests.components.data_gate import fake_nodes

# A Resolver's outputs are internal ones.
OUTPUT_EVENTS = (mlmd.proto.Event.OUTPUT, mlmd.proto.Event.INTERNAL_OUTPUT)
FIRST = {"rows": 1000}
LATER = {"rows": 900, "first_row": 1000}
ITEMS, FEWER_ITEMS = {"rows": 200}, {"rows": 199}
WARN = Gate(volume=Check(threshold=0.5, action="warn"))


class Runs:
    """Runs the pipeline and reads the latest execution of each node."""

    def __init__(self, folder):
        self.metadata_path = folder / "metadata.sqlite"
        self._metadata = metadata.sqlite_metadata_connection_config(str(self.metadata_path))
        self._root = str(folder / "root")
        self._known = set()
        self.latest = {}

    def run(self, interactions, candidates=ITEMS, gate=Gate(), blessed=1, seed=1):  # noqa: B008  it is frozen
        """Runs it on these tables; returns {node: (state, artifacts by output key)}."""
        tables = {"interactions": interactions, "candidates": candidates}
        examples, statistics, anomalies, nodes = {}, {}, {}, []
        for table, content in tables.items():
            gen = fake_nodes.FakeGen(content=json.dumps(content)).with_id(f"{table}Gen")
            described = fake_nodes.FakeStatistics(examples=gen.outputs["examples"]).with_id(f"{table}Statistics")
            validator = fake_nodes.FakeValidator(statistics=described.outputs["statistics"]).with_id(
                f"{table}Validator"
            )
            nodes += [gen, described, validator]
            examples[table] = gen.outputs["examples"]
            statistics[table] = described.outputs["statistics"]
            anomalies[table] = validator.outputs["anomalies"]
        before = blessed_statistics(statistics)
        data_gate = DataGate(
            anomalies=anomalies, statistics=statistics, before=before.outputs, gate=gate, schemas="schemas"
        )
        windows = fake_nodes.FakeWindows(**examples, gate=data_gate.outputs["report"]).with_id("Windows")
        trainer = fake_nodes.FakeTrainer(examples=windows.outputs["examples"], seed=seed).with_id("Trainer")
        evaluator = fake_nodes.FakeEvaluator(model=trainer.outputs["model"], blessed=blessed).with_id("Evaluator")
        try:
            local_dag_runner.LocalDagRunner().run(
                tfx_pipeline.Pipeline(
                    pipeline_name="fake",
                    pipeline_root=self._root,
                    components=[*nodes, before, data_gate, windows, trainer, evaluator],
                    enable_cache=True,
                    metadata_connection_config=self._metadata,
                )
            )
        finally:
            self._read()
        return self.latest

    @property
    def store(self):
        return mlmd.MetadataStore(self._metadata)

    def _read(self):
        store = self.store
        self.latest = {}
        for execution in store.get_executions():
            if execution.id in self._known:
                continue
            self._known.add(execution.id)
            (node,) = (
                context.name.removeprefix("fake.")
                for context in store.get_contexts_by_execution(execution.id)
                if context.type == "node"
            )
            events = store.get_events_by_execution_ids([execution.id])
            outputs = {event.path.steps[0].key: event.artifact_id for event in events if event.type in OUTPUT_EVENTS}
            by_id = {artifact.id: artifact for artifact in store.get_artifacts_by_id(list(outputs.values()))}
            state = mlmd.proto.Execution.State.Name(execution.last_known_state)
            self.latest[node] = (state, {key: by_id[artifact_id] for key, artifact_id in outputs.items()})


def statistics_of(run, table):
    return run[f"{table}Statistics"][1]["statistics"].id


def resolved(run):
    return {table: artifact.id for table, artifact in run["BlessedStatistics"][1].items()}


def report(run):
    """Returns report.json, and the two custom properties that repeat part of it."""
    artifact = run["DataGate"][1]["report"]
    found = json.loads((pathlib.Path(artifact.uri) / "report.json").read_text())
    recorded = artifact.custom_properties
    assert json.loads(recorded["warnings"].string_value) == found["warnings"]
    assert json.loads(recorded["not_compared"].string_value) == found["not_compared"]
    return found


def assert_all_cached(run):
    states = {node: state for node, (state, _) in run.items()}
    # A Resolver has nothing to cache: it looks every time.
    assert states.pop("BlessedStatistics") == "COMPLETE"
    assert set(states.values()) == {"CACHED"}
    assert len(states) == 10


def test_tables_are_compared_with_the_last_blessed_run_on_other_data(tmp_path):
    runs = Runs(tmp_path)
    first = runs.run(FIRST)
    assert resolved(first) == {}
    assert report(first)["not_compared"] == dict.fromkeys(
        ("interactions", "candidates"), "no earlier blessed run on other data"
    )
    before = {table: statistics_of(first, table) for table in ("interactions", "candidates")}

    # A run on the same data is not compared with itself: runs 2 and 3 resolve to the same run as run 1.
    assert_all_cached(runs.run(FIRST))
    assert_all_cached(runs.run(FIRST))

    # The data of a model that was not blessed is never the basis of a comparison.
    refused = runs.run({"rows": 950}, blessed=0)
    assert resolved(refused) == before
    assert report(refused)["volume"] == {"interactions": 0.95, "candidates": 1.0}

    # Only the interactions changed; both tables are compared with the earlier run.
    later = runs.run(LATER)
    assert resolved(later) == before
    assert report(later)["warnings"] == []
    assert report(later)["not_compared"] == {}
    assert report(later)["volume"] == {"interactions": 0.9, "candidates": 1.0}
    assert set(report(later)["drift"]["interactions"]) == {"query_id", "candidate_id", "rating", "kind"}
    assert_all_cached(runs.run(LATER))
    assert_all_cached(runs.run(LATER))

    # The statistics of the comparison are not part of the model's lineage.
    made_by = upstream(Store(runs.metadata_path), [later["Trainer"][1]["model"].id])
    assert sorted(execution.node for execution in made_by) == sorted(set(later) - {"BlessedStatistics", "Evaluator"})

    # Another model of the same data is compared with the same run.
    again = runs.run(LATER, seed=2)
    assert again["DataGate"][0] == "CACHED"
    assert again["Trainer"][0] == "COMPLETE"

    # A change of the catalogue alone is other data, even if the interactions are the same.
    moved = runs.run(LATER, candidates=FEWER_ITEMS)
    assert resolved(moved) == {
        "interactions": statistics_of(later, "interactions"),
        "candidates": statistics_of(later, "candidates"),
    }
    assert report(moved)["volume"] == {"interactions": 1.0, "candidates": 0.995}


def test_half_of_the_rows_gone_is_an_error_or_a_warning(tmp_path):
    runs = Runs(tmp_path)
    runs.run(FIRST)
    with pytest.raises(DataError, match="the data does not pass the gate: interactions: expected more than 0.5 times"):
        runs.run({"rows": 500})
    assert runs.latest["DataGate"][0] == "FAILED"
    assert "Windows" not in runs.latest

    outputs = runs.run({"rows": 500}, gate=WARN)
    [warning] = report(outputs)["warnings"]
    assert warning.startswith(
        "interactions: expected more than 0.5 times the 1000 rows of the last blessed run, got 500"
    )
    # Once it is blessed, the next run is compared with it.
    assert report(runs.run({"rows": 450}))["volume"]["interactions"] == 0.9


def test_drift_stops_the_run_where_it_is_an_error(tmp_path):
    runs = Runs(tmp_path)
    runs.run(FIRST)
    moved = {"rows": 1000, "sale": 0.7, "rating": 9.0}
    with pytest.raises(DataError, match=r"feature 'kind': .* moved by 0\.6, .*; interactions, feature 'rating'"):
        runs.run(moved, gate=Gate(drift=Check(threshold=0.3)))
    assert len(report(runs.run(moved))["warnings"]) == 2


def test_missing_statistics_are_not_compared(tmp_path):
    runs = Runs(tmp_path)
    first = runs.run(FIRST)
    gone = first["interactionsStatistics"][1]["statistics"].uri
    shutil.rmtree(gone)
    found = report(runs.run(LATER))
    assert set(found["not_compared"]) == {"interactions"}
    assert found["not_compared"]["interactions"].startswith(f"the last blessed run's statistics are gone from {gone}")
    assert set(found["volume"]) == {"candidates"}


def test_damaged_statistics_are_not_compared(tmp_path):
    runs = Runs(tmp_path)
    artifact = runs.run(FIRST)["interactionsStatistics"][1]["statistics"]
    [file] = pathlib.Path(artifact.uri).glob("*/*")
    artifact.custom_properties[properties.MANIFEST].string_value = contents.manifest(artifact.uri)
    runs.store.put_artifacts([artifact])
    file.write_bytes(b"")
    size = json.loads(artifact.custom_properties[properties.MANIFEST].string_value)[f"Split-all/{file.name}"][0]
    not_compared = report(runs.run(LATER))["not_compared"]
    assert not_compared == {
        "interactions": f"the last blessed run's statistics are damaged: Split-all/{file.name} has 0 bytes instead of "
        f"{size:,}"
    }
