"""Rollbacks: choice of the version, served files, records in ML Metadata, and kills at every step."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pathlib
import shutil

import pytest

from shortlist.errors import BadInputError, ResourceError
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import manual_push_facts, trace_pushed
from shortlist.model_files import MANIFEST_FILE
from shortlist.runs.rollback import rollback
from shortlist.serving import versions
from tests import disks
from tests.shortlist.lineage.recorded import Recorded
from tests.shortlist.serving.test_versions import Steps


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def recorded(tmp_path):
    return Recorded(tmp_path)


def _refusal(recorded: Recorded, version: int | None = None) -> str:
    before = (recorded.tags(), recorded.states())
    with pytest.raises(BadInputError) as refused:
        rollback(recorded.workspace, 3, version)
    assert (recorded.tags(), recorded.states()) == before
    return str(refused.value)


def test_back_to_the_one_before(recorded):
    first, second = recorded.push("a"), recorded.push("b")
    restored = rollback(recorded.workspace, 3, reason="bad since noon")
    assert (restored.restored_version, restored.replaced_version) == (first, second)
    assert restored.version > second
    assert recorded.tags() == {first: "a", second: "b", restored.version: "a"}
    assert restored.path == str(recorded.workspace.serving_dir / str(restored.version))
    # Once more: the one before is the one that was gone back from.
    again = rollback(recorded.workspace, 3)
    assert (again.restored_version, again.replaced_version) == (second, restored.version)
    assert recorded.tags() == {second: "b", restored.version: "a", again.version: "b"}


def test_back_to_a_chosen_one_that_is_the_oldest_kept(recorded):
    first, second, third = (recorded.push(tag) for tag in "abc")
    restored = rollback(recorded.workspace, 3, first)
    assert recorded.tags() == {second: "b", third: "c", restored.version: "a"}


def test_lineage_goes_through_the_rollback_to_the_original(recorded):
    first = recorded.push("a")
    recorded.push("b")
    store = Store(recorded.workspace.metadata_path)
    assert manual_push_facts(store, first) is None
    restored = rollback(recorded.workspace, 3, reason="bad since noon")
    trace = trace_pushed(store)
    assert trace.version == restored.version
    assert trace.path == restored.path
    assert [step.execution.node for step in trace.steps] == ["Rollback", "Pusher", "Indexer"]
    assert trace.steps[0].facts == [
        f"rolled back to version {first} from {restored.replaced_version}",
        f"by {restored.by}: bad since noon",
    ]
    assert trace.steps[1].facts == [f"version {first} to {recorded.workspace.serving_dir / str(first)}"]
    assert manual_push_facts(store, restored.version) == "; ".join(trace.steps[0].facts)
    [record] = [a for a in store.artifacts("PushedModel") if a.properties["pushed_version"] == str(restored.version)]
    assert record.properties == {
        "pushed": 1,
        "pushed_version": str(restored.version),
        "pushed_destination": restored.path,
        "restored_version": str(first),
        "replaced_version": str(restored.replaced_version),
        "reason": "bad since noon",
        "by": restored.by,
    }


def test_nothing_pushed(recorded):
    assert "no model was pushed yet" in _refusal(recorded)


def test_nothing_to_go_back_to(recorded):
    version = recorded.push("a")
    assert f"there is no older version to restore, only {version} is kept; push.keep_versions is 3" in _refusal(
        recorded
    )
    assert f"version {version} is already served; there is no other" in _refusal(recorded, version)


def test_version_that_is_not_kept(recorded):
    first, _ = recorded.push("a"), recorded.push("b")
    assert f"version 7 is not kept in {recorded.workspace.serving_dir}; choose one of [{first}]" in _refusal(
        recorded, 7
    )


def test_version_that_ml_metadata_does_not_know(recorded):
    first = recorded.push("a")
    for folder in (recorded.workspace.serving_dir, versions.exact_dir(recorded.workspace.serving_dir)):
        shutil.copytree(folder / str(first), folder / "1001")
    recorded.push("c")
    assert "version 1001 is not in ML Metadata" in _refusal(recorded, 1001)
    # It is passed over where nobody asks for it.
    assert rollback(recorded.workspace, 5).restored_version == first


def test_damaged_version_is_not_restored(recorded):
    first, _ = recorded.push("a"), recorded.push("b")
    shutil.rmtree(versions.exact_dir(recorded.workspace.serving_dir) / str(first) / "variables")
    with pytest.raises(
        BadInputError, match=r"shop-exact/\d+ has no variables/variables.index, or an empty one; choose another"
    ):
        rollback(recorded.workspace, 3)


def _archive(recorded, version: int) -> pathlib.Path:
    """Puts a copy of a version into its artifact, as the Pusher does."""
    artifacts = Store(recorded.workspace.metadata_path).artifacts("PushedModel")
    [uri] = [artifact.uri for artifact in artifacts if artifact.properties["pushed_version"] == str(version)]
    shutil.copytree(recorded.workspace.serving_dir / str(version), uri, dirs_exist_ok=True)
    (pathlib.Path(uri) / MANIFEST_FILE).unlink()
    return pathlib.Path(uri)


def test_damaged_served_version_is_restored_from_the_run(recorded):
    only = recorded.push("a")
    _archive(recorded, only)
    assert f"version {only} is already served" in _refusal(recorded, only)
    (recorded.workspace.serving_dir / str(only) / "saved_model.pb").write_text("cut")
    restored = rollback(recorded.workspace, 1, only)
    assert (restored.restored_version, restored.replaced_version) == (only, only)
    assert recorded.tags() == {restored.version: "a"}


def test_damaged_older_version_is_restored_from_the_run(recorded):
    first, second = recorded.push("a"), recorded.push("b")
    _archive(recorded, first)
    (recorded.workspace.serving_dir / str(first) / "saved_model.pb").unlink()
    assert rollback(recorded.workspace, 2).restored_version == first
    assert recorded.tags()[second] == "b"
    assert "a" in recorded.tags().values()


def test_damage_in_both_copies(recorded):
    first, _ = recorded.push("a"), recorded.push("b")
    (_archive(recorded, first) / "saved_model.pb").unlink()
    (recorded.workspace.serving_dir / str(first) / "saved_model.pb").write_text("xx")
    with pytest.raises(BadInputError, match="has saved_model.pb with 2 bytes instead of 1; choose another"):
        rollback(recorded.workspace, 3)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_failure_at_every_step_leaves_one_or_the_other_and_says_which(tmp_path, error):
    def fail():
        raise error

    for at in itertools.count():
        recorded = Recorded(tmp_path / str(at))
        _, second = recorded.push("a"), recorded.push("b")
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch, at, fail)
            with contextlib.suppress(OSError, KeyboardInterrupt):
                rollback(recorded.workspace, 3)
        served = versions.served_version(recorded.workspace.serving_dir)
        [state] = [s for i, s in recorded.states().items() if i == max(recorded.states())]
        assert (state, recorded.tags()[served]) in [("FAILED", "b"), ("COMPLETE", "a")]
        assert trace_pushed(Store(recorded.workspace.metadata_path)).version == served
        assert (served == second) == (state == "FAILED")
        if steps.count <= at:
            break
    assert at >= 15


def test_disk_that_fills_up_at_any_step(tmp_path):
    with disks.small_disk(tmp_path / "disk", 1024) as disk:
        recorded = Recorded(disk)
        first, second = recorded.push("a"), recorded.push("b")

        def with_room(kilobytes: int) -> str:
            """Returns the message."""
            with contextlib.ExitStack() as afterwards:
                afterwards.callback(disks.make_room, disk)
                try:
                    with recorded.workspace.reserve("rollback"):
                        disks.fill(disk, kilobytes)
                        rollback(recorded.workspace, 3)
                except ResourceError as error:
                    return str(error)
            return ""

        failed = 0
        while sentence := with_room(kilobytes=16 * failed):
            failed += 1
            assert ": no space left (" in sentence
            served = versions.served_version(recorded.workspace.serving_dir)
            assert recorded.tags()[served] == ("b" if served == second else "a")
            journal.Journal(recorded.workspace).close_abandoned()
            assert trace_pushed(Store(recorded.workspace.metadata_path)).version == served
            if served != second:
                break
        assert failed >= 3
        assert list(recorded.tags().values()) == ["a", "b", "a"]
        assert first in recorded.tags()


def test_killed_at_every_step(tmp_path):
    for at in itertools.count():
        recorded = Recorded(tmp_path / str(at))
        first, second = recorded.push("a"), recorded.push("b")
        child = os.fork()
        if child == 0:
            with pytest.MonkeyPatch.context() as patch:
                Steps(patch, at, lambda: os._exit(9))
                try:
                    rollback(recorded.workspace, 3)
                finally:
                    os._exit(0)
        _, status = os.waitpid(child, 0)
        # Readers see one or the other, whole.
        served = versions.served_version(recorded.workspace.serving_dir)
        assert recorded.tags()[served] == ("b" if served == second else "a")

        journal.Journal(recorded.workspace).close_abandoned()
        # Killed before it was recorded at all, it left nothing to tell of.
        state = [s for i, s in recorded.states().items() if i > 4]
        assert state in ([], ["FAILED"]) if served == second else state == ["COMPLETE"]
        assert trace_pushed(Store(recorded.workspace.metadata_path)).version == served
        if served == second:
            assert rollback(recorded.workspace, 3).restored_version == first
        if os.waitstatus_to_exitcode(status) == 0:
            break
    assert at >= 15
