"""Resolver, Baseline and Evaluator in a real LocalDagRunner, run after run on one ML Metadata store."""

import json

import ml_metadata as mlmd
import pytest
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import local_dag_runner
from tfx.types import standard_artifacts

from components.baseline import executor as baseline_executor
from components.baseline.component import Baseline, latest_other_blessed_model
from components.baseline.strategy import LatestOtherBlessedModelStrategy
from components.evaluator.component import RankEvaluator
from shortlist.config.evaluate import Evaluate
from shortlist.records import contents, properties
from shortlist.verdicts import EVALUATED, GateResult, Result
from tests.components.baseline import fake_nodes
from tests.components.evaluator import fakes

# A Resolver's outputs are internal ones.
OUTPUT_EVENTS = (mlmd.proto.Event.OUTPUT, mlmd.proto.Event.INTERNAL_OUTPUT)

SAME, OTHER = "c" * 64, "d" * 64


class Runs:
    """Runs the pipeline and reads the results of a node's latest execution."""

    def __init__(self, folder):
        self._metadata = metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))
        self._root = str(folder / "root")
        self._store = None
        self._known = set()

    def run(self, shift, catalogue=SAME):
        """Runs it with a model worse by `shift`; returns {node: (state, artifacts by output key)}."""
        windows = fake_nodes.FakeWindows().with_id("Windows")
        trainer = fake_nodes.FakeTrainer(
            examples=windows.outputs["examples"], shift=shift, catalogue=catalogue
        ).with_id("Trainer")
        blessed = latest_other_blessed_model(trainer.outputs["model"])
        candidates = fake_nodes.FakeCatalogue().with_id("CandidatesGen")
        baseline = Baseline(
            model=trainer.outputs["model"],
            baseline=blessed.outputs["model"],
            candidates=candidates.outputs["examples"],
        )
        evaluator = RankEvaluator(
            examples=windows.outputs["examples"],
            schema=windows.outputs["schema"],
            model=trainer.outputs["model"],
            baseline_model=baseline.outputs["model"],
            evaluate=Evaluate(max_drop_from_baseline=0.05),
        )
        local_dag_runner.LocalDagRunner().run(
            tfx_pipeline.Pipeline(
                pipeline_name="fake",
                pipeline_root=self._root,
                components=[windows, candidates, trainer, blessed, baseline, evaluator],
                enable_cache=True,
                metadata_connection_config=self._metadata,
            )
        )
        return self._latest()

    def _latest(self):
        self._store = self._store or mlmd.MetadataStore(self._metadata)
        result = {}
        for execution in self._store.get_executions():
            if execution.id in self._known:
                continue
            self._known.add(execution.id)
            (node,) = (
                context.name.removeprefix("fake.")
                for context in self._store.get_contexts_by_execution(execution.id)
                if context.type == "node"
            )
            events = self._store.get_events_by_execution_ids([execution.id])
            outputs = {event.path.steps[0].key: event.artifact_id for event in events if event.type in OUTPUT_EVENTS}
            by_id = {artifact.id: artifact for artifact in self._store.get_artifacts_by_id(list(outputs.values()))}
            state = mlmd.proto.Execution.State.Name(execution.last_known_state)
            result[node] = (state, {key: by_id[artifact_id] for key, artifact_id in outputs.items()})
        return result


def assert_blessed(run, blessed, lift, previous):
    """Asserts the verdict, the sentences on popularity and on the previous model, and the reasons derived from them."""
    properties = run["Evaluator"][1]["blessing"].custom_properties
    assert properties["blessed"].int_value == int(blessed)
    gates = [GateResult(**gate) for gate in json.loads(properties["gates"].string_value)]
    assert [gate.gate for gate in gates] == list(EVALUATED)
    assert (gates[0].sentence, gates[3].sentence) == (lift, previous)
    reasons = [gate.reason for gate in gates if blessed or gate.result is Result.FAILED]
    assert json.loads(properties["reasons"].string_value) == reasons


def assert_skipped(run, reason):
    properties = run["Baseline"][1]["model"].custom_properties
    assert properties["skipped"].int_value == 1
    assert properties["reason"].string_value == reason


def states(run):
    return {node: state for node, (state, _) in run.items()}


# A Resolver has nothing to cache: it looks every time.
_CACHEABLE = ("Windows", "CandidatesGen", "Trainer", "Baseline", "Evaluator")
ALL_CACHED = {**dict.fromkeys(_CACHEABLE, "CACHED"), "BlessedModel": "COMPLETE"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("pipeline"))


def test_a_model_meets_its_predecessors(runs):
    # Ten of 50 rows have rank 10 or better, five of popularity's; each shift loses one.
    lift = "HR@10 {}, most popular 0.100: {} times; required 1.1"
    drop = "HR@10 {}, previous model {}: {}; allowed drop 0.05"
    too_low = f"{drop} by evaluate.max_drop_from_baseline"

    first = runs.run(shift=1)
    assert_skipped(first, "no earlier blessed model")
    assert_blessed(first, True, lift.format("0.180", "1.8"), "none yet")
    first_model = first["Trainer"][1]["model"]

    # Its own blessing must not make it its own baseline.
    assert states(runs.run(shift=1)) == ALL_CACHED

    worse = runs.run(shift=4)
    assert worse["BlessedModel"][1]["model"].id == first_model.id
    assert worse["Baseline"][1]["model"].custom_properties["skipped"].int_value == 0
    assert_blessed(worse, False, lift.format("0.120", "1.2"), too_low.format("0.120", "0.180", "0.060 lower"))
    assert states(runs.run(shift=4)) == ALL_CACHED

    # The refused model is no baseline; the first still is.
    better = runs.run(shift=0)
    assert better["BlessedModel"][1]["model"].id == first_model.id
    assert_blessed(better, True, lift.format("0.200", "2.0"), drop.format("0.200", "0.180", "0.020 higher"))

    # These models have no saved towers; those of test_reembed do.
    differs = "its catalogue differs, and an older version of Shortlist saved it without its towers"
    moved = runs.run(shift=4, catalogue=OTHER)
    assert moved["BlessedModel"][1]["model"].id == better["Trainer"][1]["model"].id
    assert_skipped(moved, differs)
    assert_blessed(moved, True, lift.format("0.120", "1.2"), f"not judged: {differs}")

    # That nobody stood against it is no reason why it was refused.
    refused = runs.run(shift=5)
    assert_skipped(refused, differs)
    assert_blessed(
        refused, False, f"{lift.format('0.100', '1.0')} by evaluate.min_lift_over_popularity", f"not judged: {differs}"
    )


def model(artifact_id, uri=""):
    artifact = standard_artifacts.Model()
    artifact.id = artifact_id
    artifact.uri = str(uri)
    return artifact


def blessing(artifact_id, model_id, blessed):
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = artifact_id
    artifact.set_int_custom_property("current_model_id", model_id)
    artifact.set_int_custom_property("blessed", blessed)
    return artifact


@pytest.mark.parametrize(
    ("blessings", "candidate", "resolved", "by"),
    [
        ([], 3, None, None),
        ([(10, 3, 1)], 3, None, None),
        ([(10, 1, 1), (11, 2, 0)], 3, 1, 10),
        ([(11, 2, 1), (10, 1, 1)], 3, 2, 11),
        # A model that is older than the latest blessed one is compared with that one.
        ([(10, 1, 1), (11, 2, 1)], 1, 2, 11),
        ([(10, 1, 1), (12, 1, 1)], 3, 1, 12),
    ],
)
def test_the_latest_other_blessed_model(blessings, candidate, resolved, by):
    artifacts = {
        "model": [model(2), model(1), model(3)],
        "model_blessing": [blessing(*each) for each in blessings],
        "candidate": [model(candidate)],
    }
    result = LatestOtherBlessedModelStrategy().resolve_artifacts(None, artifacts)
    assert [artifact.id for artifact in result["model"]] == ([resolved] if resolved else [])
    assert [artifact.id for artifact in result["model_blessing"]] == ([by] if by else [])
    assert result["candidate"] == []


def test_a_baseline_whose_files_are_gone_is_skipped(tmp_path):
    fakes.save_model(tmp_path / "candidate")
    output = model(9, tmp_path / "output")
    baseline_executor.Executor().Do(
        {"candidate": [model(2, tmp_path / "candidate")], "baseline": [model(1, tmp_path / "gone")]},
        {"model": [output]},
        {},
    )
    assert output.get_int_custom_property("skipped") == 1
    assert output.get_string_custom_property("reason") == f"its files are missing from {tmp_path / 'gone'}"


def test_a_damaged_baseline_is_skipped(tmp_path):
    fakes.save_model(tmp_path / "candidate")
    fakes.save_model(tmp_path / "earlier")
    earlier, output = model(1, tmp_path / "earlier"), model(9, tmp_path / "output")
    earlier.set_string_custom_property(properties.MANIFEST, contents.manifest(earlier.uri))
    graph = tmp_path / "earlier/Format-Serving/saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-1])
    baseline_executor.Executor().Do(
        {"candidate": [model(2, tmp_path / "candidate")], "baseline": [earlier]}, {"model": [output]}, {}
    )
    assert output.get_int_custom_property("skipped") == 1
    reason = output.get_string_custom_property("reason")
    assert reason.startswith("its files are damaged: Format-Serving/saved_model.pb has ")
