"""A workspace that was copied or moved: readers and writers use its own files, and never change the original's."""

from __future__ import annotations

import json
import os
import pathlib
import shutil

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.errors import ConfigError
from shortlist.lineage import journal, relocation
from shortlist.lineage.database import database
from shortlist.lineage.server import ServerDatabase
from shortlist.lineage.serving import serving_state
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes, properties
from shortlist.records.artifacts import PushedModel
from shortlist.runs.prune import plan
from shortlist.runs.rollback import rollback
from shortlist.serving import versions
from shortlist.workspace import Workspace
from tests.shortlist.lineage.recorded import Recorded

_SERVED, _LAST_RUN = 1_700_000_002, "20260101T110000Z"


@pytest.fixture
def original(tmp_path) -> Workspace:
    """Three runs with folders for their artifacts, the last one not blessed."""
    maker = StoreWriter(tmp_path / "original")
    maker.run(0, PUSHED, data="a")
    maker.run(2, PUSHED, data="b")
    maker.run(11, ENDS[1], data="c")
    for artifact in Store.of(maker.workspace).all_artifacts():
        pathlib.Path(artifact.uri).mkdir(parents=True)
        pathlib.Path(artifact.uri, "data").write_text("x" * 10)
    (maker.workspace.serving_dir / str(_SERVED)).mkdir(parents=True)
    return maker.workspace


def _copy(workspace: Workspace, root: pathlib.Path) -> Workspace:
    shutil.copytree(workspace.root, root, symlinks=True)
    return Workspace(root, workspace.name)


def _move(workspace: Workspace, root: pathlib.Path) -> Workspace:
    root.parent.mkdir(parents=True, exist_ok=True)
    workspace.root.rename(root)
    return Workspace(root, workspace.name)


def _files(root: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _plan(workspace: Workspace):
    return plan(Store.of(workspace), workspace.pipeline_root, [_SERVED], [_LAST_RUN])


@pytest.mark.parametrize("relocate", [_copy, _move])
def test_readers_name_the_new_files(original, tmp_path, relocate):
    there = relocate(original, tmp_path / "deep" / "other {name}")
    before = _files(there.root)
    store = Store.of(there)
    for artifact in store.all_artifacts():
        assert pathlib.Path(artifact.uri).is_relative_to(there.pipeline_root)
        assert pathlib.Path(artifact.uri, "data").exists()
    state = serving_state(store, _SERVED)
    assert {push.path for push in state.pushes} == {str(there.serving_dir / str(push.version)) for push in state.pushes}
    assert PushedModel.of(pushed_models(store)[_SERVED]).destination == str(there.serving_dir / str(_SERVED))
    assert _files(there.root) == before


def test_prune_of_a_copy_deletes_the_copys_files_and_none_of_the_original(original, tmp_path):
    expected = [os.path.relpath(artifact.uri, original.root) for artifact in _plan(original).artifacts]
    there = _copy(original, tmp_path / "copy")
    before = _files(original.root)

    book = journal.Journal(there)
    decided = _plan(there)
    assert [os.path.relpath(artifact.uri, there.root) for artifact in decided.artifacts] == expected
    assert len(expected) == 9
    assert book.delete(decided.artifacts) == []
    assert not any((there.root / folder).exists() for folder in expected)
    assert _files(original.root) == before
    assert _plan(there).artifacts == []
    assert len(_plan(original).artifacts) == 9


def test_the_journal_deletes_nothing_outside_of_its_workspace(original, tmp_path):
    decided = _plan(original)
    there = _copy(original, tmp_path / "copy")
    book = journal.Journal(there)
    store = database(there).writer()
    # A record that names another workspace although the new paths were stored.
    [foreign] = store.get_artifacts_by_id([decided.artifacts[0].id])
    foreign.uri = decided.artifacts[0].uri
    store.put_artifacts([foreign])
    before = _files(original.root)
    failures = book.delete(decided.artifacts[:1])
    assert failures == [f"{foreign.uri}: not in {there.pipeline_root}"]
    assert _files(original.root) == before


@pytest.mark.parametrize("relocate", [_copy, _move])
def test_the_first_writer_stores_the_new_paths_once(original, tmp_path, relocate):
    old_root = original.root
    there = relocate(original, tmp_path / "copy")
    assert len(_records(there, old_root)) > 20
    journal.Journal(there)
    assert _records(there, old_root) == []
    store = database(there).writer()
    assert relocation.adopt(store, store.get_artifacts(), there.root) == 0
    again = _move(there, tmp_path / "again")
    journal.Journal(again)
    assert _records(again, there.root) == []


def _records(workspace: Workspace, root: pathlib.Path) -> list[str]:
    """Returns the paths below a folder in the artifacts' URIs and properties."""
    artifacts = database(workspace).reader().get_artifacts()
    texts = [artifact.uri for artifact in artifacts]
    texts += [value.string_value for artifact in artifacts for value in artifact.custom_properties.values()]
    return [text for text in texts if text.startswith(f"{root}/")]


def test_another_path_of_the_same_folder_changes_no_record(original, tmp_path):
    (tmp_path / "link").symlink_to(original.root)
    linked = Workspace(tmp_path / "link", original.name)
    number = len(_records(original, original.root))
    journal.Journal(linked)
    assert len(_records(original, original.root)) == number
    for artifact in Store.of(linked).artifacts("Model"):
        assert artifact.uri.startswith(str(linked.root))
    decided = _plan(linked)
    assert journal.Journal(linked).delete(decided.artifacts) == []
    assert len(decided.artifacts) == 9
    assert _plan(original).artifacts == []


def test_rollback_in_a_copy_follows_the_copys_pushes(tmp_path):
    recorded = Recorded(tmp_path)
    first, second = recorded.push("a"), recorded.push("b")
    there = _copy(recorded.workspace, tmp_path / "copy")
    before = _files(recorded.workspace.root)
    restored = rollback(there, keep_versions=3)
    assert (restored.restored_version, restored.replaced_version) == (first, second)
    assert pathlib.Path(restored.path).is_relative_to(there.root)
    assert _files(recorded.workspace.root) == before
    assert versions.served_version(there.serving_dir) == restored.version
    pushes = serving_state(Store.of(there), restored.version).pushes
    assert all(pathlib.Path(push.path).is_relative_to(there.root) for push in pushes)
    assert pushes[0].command == "rollback"


def test_an_abandoned_push_of_the_original_is_not_completed_by_the_copy(tmp_path):
    """Its destination exists in the original only: the copy was made before the files were there."""
    recorded = Recorded(tmp_path)
    book = journal.Journal(recorded.workspace)
    destination = recorded.workspace.serving_dir / "1"
    with book.step(nodes.ROLLBACK, {}, {}) as step:
        uri = str(recorded.output_folder(nodes.ROLLBACK, "restored_model", step.id))
        step.announce("restored_model", "PushedModel", uri, PushedModel.properties_of(1, str(destination)))
        there = _copy(recorded.workspace, tmp_path / "copy")
        destination.mkdir(parents=True)
    assert journal.Journal(there).close_abandoned() == [nodes.ROLLBACK]
    [execution] = Store.of(there).interrupted()
    assert execution.state == "FAILED"
    assert properties.KILLED in execution.properties


@pytest.mark.parametrize(
    ("uri", "former"),
    [
        ("/old/pipeline_root/Trainer/model/3", "/old"),
        ("/old/pipeline_root/Trainer/model/3/Format-Serving", "/old"),
        ("/a/pipeline_root/b/c/d/pipeline_root/Trainer/model/3", "/a/pipeline_root/b/c/d"),
        ("/new/pipeline_root/Trainer/model/3", None),
        ("/old/pipeline_root/Trainer", None),
        ("/data/elsewhere", None),
        ("gs://bucket/pipeline_root/Trainer/model/3", None),
        ("", None),
    ],
)
def test_the_path_of_an_artifact_names_its_workspace(uri, former):
    assert relocation.former_root(uri, pathlib.Path("/new")) == former


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/old/serving/shop/1", "/new/serving/shop/1"),
        ("/old/pipeline_root", "/new/pipeline_root"),
        ("/old/serving-2/shop", "/old/serving-2/shop"),
        ("/older/serving/shop", "/older/serving/shop"),
        ("in /old/serving/shop", "in /old/serving/shop"),
        (3, 3),
        (0.5, 0.5),
    ],
)
def test_only_paths_of_the_workspace_are_translated(value, expected):
    assert relocation.translated(value, "/old", pathlib.Path("/new")) == expected


def test_a_copy_with_records_on_a_server_is_refused(tmp_path, monkeypatch):
    claims = {}
    for name in ("original", "copy"):
        claims[name] = Workspace(tmp_path / name, "shop").claim_path
        claims[name].parent.mkdir(parents=True)
        claims[name].write_text(json.dumps({"id": "1"}))
    server = ServerDatabase.__new__(ServerDatabase)
    server._workspace = Workspace(tmp_path / "copy", "shop")
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    with pytest.raises(ConfigError, match="got a copy of .*original, which still exists"):
        server._check_no_copy(f"here:{tmp_path / 'original'}")
    # The same folder, another machine's folder, and a folder that was moved.
    server._check_no_copy(f"here:{tmp_path / 'copy'}")
    server._check_no_copy(f"there:{tmp_path / 'original'}")
    claims["original"].unlink()
    server._check_no_copy(f"here:{tmp_path / 'original'}")
