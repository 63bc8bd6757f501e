"""The cache checks files: a damaged artifact is made again, and a copied or moved workspace uses its own files."""

import datetime
import json
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
from tfx.dsl.component.experimental import annotations, decorators
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from pipeline import node_launcher
from pipeline.local_runner import LocalRunner
from pipeline.run import run_pipeline
from shortlist.config.load import load_config
from shortlist.lineage import journal
from shortlist.lineage.database import database
from shortlist.lineage.store import Store
from shortlist.records import properties
from shortlist.summary import Status, read_summary
from shortlist.tables import input_table
from shortlist.workspace import Workspace
from tests.compatibility.make_workspace import make_data
from tests.pipeline.conftest import RecordingListener


@decorators.component
def Make(model: annotations.OutputArtifact[standard_artifacts.Model]):
    pathlib.Path(model.uri, "saved_model.pb").write_text("graph")


@decorators.component
def Copy(
    model: annotations.InputArtifact[standard_artifacts.Model],
    copied: annotations.OutputArtifact[standard_artifacts.Model],
):
    text = pathlib.Path(model.uri, "saved_model.pb").read_text()
    pathlib.Path(copied.uri, "saved_model.pb").write_text(text)


def _delete(file: pathlib.Path) -> None:
    file.unlink()


def _truncate(file: pathlib.Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _alter(file: pathlib.Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


_DAMAGE: dict[Callable[[pathlib.Path], None], str] = {
    _delete: "saved_model.pb is missing",
    _truncate: "saved_model.pb has 2 bytes instead of 5",
    _alter: "the content of saved_model.pb was altered",
}


def _run_chain(workspace: Workspace, run_id: str) -> tuple[dict[str, bool], list[str]]:
    make = Make()
    copy = Copy(model=make.outputs["model"])
    metadata = database(workspace)
    metadata.begin_run(run_id)
    listener = RecordingListener()
    runner = LocalRunner(run_id, listener, metadata.connection())
    runner.run(
        tfx_pipeline.Pipeline(
            pipeline_name=workspace.name,
            pipeline_root=str(workspace.pipeline_root),
            components=[make, copy],
            enable_cache=True,
        )
    )
    return listener.cached, runner.warnings


@pytest.mark.parametrize("damage", _DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_output_is_made_again_once(tmp_path, damage):
    workspace = Workspace(tmp_path, "chain")
    assert _run_chain(workspace, "first") == ({"Make": False, "Copy": False}, [])
    assert _run_chain(workspace, "second") == ({"Make": True, "Copy": True}, [])
    [made] = Store.of(workspace).run_executions("first")[0].outputs["model"]
    damage(pathlib.Path(made.uri, "saved_model.pb"))

    cached, warnings = _run_chain(workspace, "third")
    assert cached == {"Make": False, "Copy": False}
    assert warnings == [f"Make ran again, because its result in {made.uri} was damaged: {_DAMAGE[damage]}"]
    [damaged] = Store.of(workspace).run_executions("first")[0].outputs["model"]
    assert (damaged.deleted, damaged.properties[properties.DAMAGED]) == (True, _DAMAGE[damage])
    assert _run_chain(workspace, "fourth") == ({"Make": True, "Copy": True}, [])


def test_a_damaged_last_output_leaves_the_nodes_before_it_in_the_cache(tmp_path):
    workspace = Workspace(tmp_path, "chain")
    _run_chain(workspace, "first")
    [copied] = Store.of(workspace).run_executions("first")[1].outputs["copied"]
    _delete(pathlib.Path(copied.uri, "saved_model.pb"))
    cached, _ = _run_chain(workspace, "second")
    assert cached == {"Make": True, "Copy": False}


@pytest.mark.parametrize("relocate", [shutil.copytree, os.rename])
def test_a_copied_or_moved_workspace_keeps_its_cache(tmp_path, relocate):
    workspace = Workspace(tmp_path / "original", "chain")
    _run_chain(workspace, "first")
    relocate(workspace.root, tmp_path / "other")
    there = Workspace(tmp_path / "other", "chain")
    # As `run_pipeline` does at the start of each run.
    journal.Journal(there)
    assert _run_chain(there, "second") == ({"Make": True, "Copy": True}, [])
    for execution in Store(there.metadata_path).run_executions("second"):
        for artifacts in execution.outputs.values():
            assert pathlib.Path(artifacts[0].uri).is_relative_to(there.root)
    [made] = Store.of(there).run_executions("second")[0].outputs["model"]
    _delete(pathlib.Path(made.uri, "saved_model.pb"))
    assert _run_chain(there, "third")[0] == {"Make": False, "Copy": False}


@pytest.mark.parametrize("root", ["/w/a", '/w/it\'s "a" é', "/w/#1 {b}"])
def test_parameters_of_the_cache_key_do_not_name_the_workspace(root):
    folder = f"{root}/serving/shop"
    assert node_launcher._relative(folder, root) == "serving/shop"
    for ensure_ascii in (True, False):
        text = json.dumps({"dir": folder}, ensure_ascii=ensure_ascii)
        assert node_launcher._relative(text, root) == '{"dir": "serving/shop"}'
    assert node_launcher._relative(f"{root}-2/serving", root) == f"{root}-2/serving"
    assert node_launcher._relative(3, root) == 3


# Node, pattern of the file below the node's folder, damage. Each row is one run of the whole pipeline.
_ROUNDS = [
    [
        ("Trainer", "model/*/Format-Serving/saved_model.pb", _delete),
        ("Windows", "examples/*/Split-train/*.gz", _truncate),
        ("CandidateTransform", "transform_graph/*/transform_fn/assets/*", _alter),
    ],
    [
        ("Indexer", "model/*/Format-Serving/saved_model.pb", _truncate),
        ("InteractionsGen", "examples/*/Split-all/*.gz", _alter),
        ("Transform", "transform_graph/*/transform_fn/assets/*", _delete),
    ],
    [
        ("CandidatesGen", "examples/*/Split-all/*.gz", _delete),
        ("Evaluator", "evaluation/*/metrics*", _truncate),
        ("InteractionsStatistics", "statistics/*/Split-all/*", _alter),
    ],
]


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_pipeline_recovers_from_each_kind_of_damage_and_can_be_moved(tmp_path, monkeypatch):
    make_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = load_config(tmp_path / "circle.yaml")
    workspace = Workspace.of(config)

    def run() -> tuple[RecordingListener, list[str]]:
        listener = RecordingListener()
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        unit = input_table.timestamp_unit(config.data.interactions, tmp_path)
        summary = run_pipeline(config, workspace, run_id, tmp_path, listener, unit)
        assert summary.status is Status.PUSHED, summary.reasons
        return listener, summary.warnings

    run()
    for damages in _ROUNDS:
        for node, pattern, damage in damages:
            damage(max((workspace.pipeline_root / node).glob(pattern), key=lambda path: int(_execution(path))))
        listener, warnings = run()
        for node, _, _ in damages:
            assert listener.cached[node] is False
            if node in _first_damaged(damages):
                assert any(line.startswith(f"{node} ran again, because its result in ") for line in warnings)

    # An unusual path, which no node may take for a pattern or split at its blanks.
    workspace.root.rename(tmp_path / _MOVED)
    config = config.model_copy(update={"workspace": _MOVED})
    workspace = Workspace.of(config)
    listener, warnings = run()
    assert {node for node, cached in listener.cached.items() if not cached} == {"BlessedStatistics", "BlessedModel"}
    assert warnings == []
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert summary.pushed is not None
    assert summary.pushed.path == str(workspace.serving_dir / str(summary.pushed.version))
    # The baseline of a new model is the blessed one of before the move.
    config = config.model_copy(update={"train": config.train.model_copy(update={"seed": 5})})
    listener, _ = run()
    assert not any(listener.cached[node] for node in ("Trainer", "Evaluator", "Answers", "Indexer", "Pusher"))
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert summary.baselines is not None
    assert summary.baselines.latest_blessed is not None


_MOVED = 'it\'s "moved" {b} 100% #1 ~ é日本 $HOME ]'


def _execution(path: pathlib.Path) -> str:
    parts = path.parts
    return parts[parts.index("pipeline_root") + 3]


def _first_damaged(damages) -> set[str]:
    """Returns the nodes that no other damaged node feeds: the others miss the cache before they are compared."""
    fed = {"Trainer": {"Windows"}, "CandidateTransform": set(), "Indexer": {"InteractionsGen"}}
    fed |= {"Transform": {"InteractionsGen"}, "Evaluator": {"CandidatesGen"}}
    nodes = {node for node, _, _ in damages}
    return {node for node in nodes if not fed.get(node, set()) & nodes}
