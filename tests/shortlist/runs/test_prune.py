"""Old artifacts are deleted; the lineage of served versions is kept, even if the prune is killed."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models, trace_pushed, upstream
from shortlist.records import nodes
from shortlist.runs.prune import LARGE, plan

_OLD, _SERVED = 1_700_000_000, 1_700_000_002


@pytest.fixture
def maker(tmp_path):
    """Three runs on data of their own, the last one not blessed, with folders for their artifacts."""
    made = StoreWriter(tmp_path / "workspace")
    made.run(0, PUSHED, data="a")
    made.run(2, PUSHED, data="b")
    made.run(11, ENDS[1], data="c")
    for artifact in Store(made.workspace.metadata_path).all_artifacts():
        folder = pathlib.Path(artifact.uri)
        folder.mkdir(parents=True)
        (folder / "data").write_text("x" * 10)
    return made


def _plan(maker, versions=(_SERVED,), kept=("20260101T110000Z",)):
    return plan(Store(maker.workspace.metadata_path), maker.workspace.pipeline_root, list(versions), list(kept))


def _standing(maker):
    return {path.parent for path in maker.workspace.pipeline_root.rglob("data")}


def _lineage(maker, version):
    """Returns the folders of all inputs of a version."""
    store = Store(maker.workspace.metadata_path)
    made_by = upstream(store, [pushed_models(store)[version].id])
    artifacts = [a for e in made_by for given in (e.inputs, e.outputs) for found in given.values() for a in found]
    return {pathlib.Path(artifact.uri) for artifact in artifacts}


def test_plan_changes_nothing(maker):
    before = _standing(maker)
    assert _plan(maker).artifacts
    assert _standing(maker) == before


def test_all_large_ones_that_nobody_needs_go(maker):
    decided = _plan(maker)
    gone = {tuple(pathlib.Path(artifact.uri).parts[-3:]) for artifact in decided.artifacts}
    # The catalogue and its transform are the same in all runs, so that what is served came of the first run's.
    assert gone == {
        ("InteractionsGen", "examples", "0"),
        ("Windows", "examples", "0"),
        ("Transform", "transform_graph", "0"),
        ("Trainer", "model", "0"),
        ("Trainer", "model_run", "0"),
        ("Baseline", "model", "0"),
        ("Indexer", "model", "0"),
        ("Indexer", "exact_model", "0"),
        ("Pusher", "pushed_model", "0"),
    }
    assert decided.bytes == 10 * len(gone)


def test_the_lineage_of_served_versions_is_kept(maker):
    protected = _lineage(maker, _SERVED)
    before = _standing(maker)
    decided = _plan(maker)
    assert journal.Journal(maker.workspace).delete(decided.artifacts) == []
    gone = before - _standing(maker)
    assert gone == {pathlib.Path(artifact.uri) for artifact in decided.artifacts}
    assert not gone & protected
    assert _plan(maker).artifacts == []
    assert not list(maker.workspace.pipeline_root.glob("*/*/.*"))


def test_records_stay_and_say_that_the_files_are_gone(maker):
    journal.Journal(maker.workspace).delete(_plan(maker).artifacts)
    trace = trace_pushed(Store(maker.workspace.metadata_path), _OLD)
    made = [a for step in trace.steps for found in step.execution.outputs.values() for a in found]
    assert {a.type for a in made if a.deleted} == set(LARGE)


def test_versions_that_can_be_rolled_back_to_are_protected_too(maker):
    assert _plan(maker, versions=(_OLD, _SERVED)).artifacts == []


def test_latest_blessed_model_stays_although_nothing_is_served(maker):
    gone = {pathlib.Path(artifact.uri) for artifact in _plan(maker, versions=()).artifacts}
    assert maker.workspace.pipeline_root / "Trainer/model/2" not in gone
    assert maker.workspace.pipeline_root / "Trainer/model/0" in gone


def test_kept_runs_keep_their_cached_artifacts(maker):
    maker.run(12, PUSHED, seed=0, data="a")
    assert _plan(maker, kept=("20260101T120000Z",)).artifacts
    gone = {pathlib.Path(artifact.uri) for artifact in _plan(maker, kept=("20260101T120000Z",)).artifacts}
    assert maker.workspace.pipeline_root / "Trainer/model/0" not in gone
    assert maker.workspace.pipeline_root / "Trainer/model/11" in gone


def test_served_version_of_unknown_origin_stops_it(maker):
    with pytest.raises(BadInputError, match="version 7 is in the serving folder, but not in ML Metadata"):
        _plan(maker, versions=(7, _SERVED))


def test_nothing_outside_the_pipeline_root_goes(maker, tmp_path):
    store = Store(maker.workspace.metadata_path)
    elsewhere = plan(store, tmp_path / "workspace" / "pipeline", [_SERVED], [])
    assert elsewhere.artifacts == []


def test_folder_that_two_artifacts_name_stays_for_the_one_that_is_kept(maker):
    store = Store(maker.workspace.metadata_path)
    book = journal.Journal(maker.workspace)
    original = pushed_models(store)[_OLD]
    with book.step(nodes.ROLLBACK, {}, {}) as step:
        record = {"pushed": 1, "pushed_version": "1700000100", "pushed_destination": "serving"}
        step.announce("restored_model", "PushedModel", original.uri, record)
    gone = {artifact.uri for artifact in _plan(maker, versions=(_SERVED, 1_700_000_100)).artifacts}
    assert original.uri not in gone


@pytest.mark.parametrize("moment", ["rename", "rmtree"])
def test_a_prune_that_is_cut_off_goes_on(maker, monkeypatch, moment):
    decided = _plan(maker)
    with monkeypatch.context() as patch:
        if moment == "rename":
            real, count = pathlib.Path.rename, iter(range(100))

            def rename(self, target):
                if next(count) == 3:
                    raise KeyboardInterrupt
                return real(self, target)

            patch.setattr(pathlib.Path, "rename", rename)
        else:

            def rmtree(folder, ignore_errors):
                raise KeyboardInterrupt

            patch.setattr(shutil, "rmtree", rmtree)
        with pytest.raises(KeyboardInterrupt):
            journal.Journal(maker.workspace).delete(decided.artifacts)
    again = _plan(maker)
    journal.Journal(maker.workspace).delete(again.artifacts)
    assert not {pathlib.Path(artifact.uri) for artifact in decided.artifacts} & _standing(maker)
    assert not list(maker.workspace.pipeline_root.glob("*/*/.*"))


def test_failed_deletions_are_reported_and_tried_again(maker, monkeypatch):
    decided = _plan(maker)
    with monkeypatch.context() as patch:

        def rename(self, target):
            raise PermissionError(13, "Permission denied")

        patch.setattr(pathlib.Path, "rename", rename)
        resisted = journal.Journal(maker.workspace).delete(decided.artifacts)
    assert len(resisted) == len(decided.artifacts)
    assert resisted[0].endswith(": Permission denied")
    assert [artifact.id for artifact in _plan(maker).artifacts] == [artifact.id for artifact in decided.artifacts]
    assert journal.Journal(maker.workspace).delete(_plan(maker).artifacts) == []
