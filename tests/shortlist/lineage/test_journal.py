"""Abandoned executions are closed and cleaned up; manual steps are recorded, even if they are killed."""

from __future__ import annotations

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.journal_step import JournalStep
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models, trace_pushed
from shortlist.records import nodes, properties
from tests.shortlist.lineage.recorded import Recorded


@pytest.fixture
def recorded(tmp_path):
    return Recorded(tmp_path)


def _killed(recorded: Recorded, execution_id: int) -> str:
    [execution] = recorded.store.get_executions_by_id([execution_id])
    return execution.custom_properties[properties.KILLED].string_value


def test_executions_of_a_killed_run_become_failed_with_a_reason(recorded):
    done, _ = recorded.node("Windows")
    dead, _ = recorded.node("Trainer", "RUNNING")
    assert journal.Journal(recorded.workspace).close_abandoned() == ["Trainer"]
    assert recorded.states() == {done: "COMPLETE", dead: "FAILED"}
    assert _killed(recorded, dead).startswith("its process died, found 20")
    assert journal.Journal(recorded.workspace).close_abandoned() == []


def test_a_stop_that_a_library_converted_is_one_of_its_run_alone(recorded):
    earlier, _ = recorded.node("Trainer", "FAILED", run_id="earlier")
    done, _ = recorded.node("Windows")
    stopped, _ = recorded.node("Transform", "FAILED")
    other, _ = recorded.node("Transform", "FAILED", pipeline="other")
    journal.Journal(recorded.workspace).mark_stopped("run", "interrupted")
    assert _killed(recorded, stopped).startswith("interrupted, found 20")
    assert [_killed(recorded, each) for each in (earlier, done, other)] == ["", "", ""]
    journal.Journal(recorded.workspace).mark_stopped("no such run", "interrupted")
    journal.Journal(recorded.workspace).mark_stopped("earlier", "interrupted")
    assert _killed(recorded, earlier)


def test_a_run_that_was_stopped_between_two_nodes_has_no_killed_one(recorded):
    done, _ = recorded.node("Windows")
    journal.Journal(recorded.workspace).mark_stopped("run", "interrupted")
    assert (_killed(recorded, done), recorded.states()) == ("", {done: "COMPLETE"})


def test_their_outputs_go_and_nothing_else(recorded):
    done, _ = recorded.node("Trainer", outputs={"Model": {}})
    dead, _ = recorded.node("Trainer", "RUNNING")
    gone = [recorded.output_folder("Trainer", key, dead) for key in ("model", "model_run")]
    gone.append(recorded.output_folder("Trainer/.system", "executor_execution", dead))
    remaining = [recorded.output_folder("Trainer", "model", done)]
    # The same number under another node, and a folder of our own.
    remaining.append(recorded.output_folder("Windows", "examples", dead))
    remaining.append(recorded.output_folder("Trainer/.system", "stateful_working_dir", dead))
    journal.Journal(recorded.workspace).close_abandoned()
    assert not any(folder.exists() for folder in gone)
    assert all((folder / "data").exists() for folder in remaining)


def test_folder_that_a_finished_artifact_names_stays(recorded):
    dead, _ = recorded.node("Trainer", "RUNNING")
    folders = [recorded.output_folder("Trainer", key, dead) for key in ("model", "checkpoints")]
    for uri in (str(folders[0]), f"{folders[1]}/Format-Serving/"):
        artifact = pb.Artifact(type_id=recorded.store.get_artifact_type("Model").id, uri=uri, state=pb.Artifact.LIVE)
        recorded.store.put_artifacts([artifact])
    journal.Journal(recorded.workspace).close_abandoned()
    assert all((folder / "data").exists() for folder in folders)


def test_folder_that_could_not_be_deleted_is_tried_again(recorded, monkeypatch):
    dead, _ = recorded.node("Trainer", "RUNNING")
    folder = recorded.output_folder("Trainer", "model", dead)
    with monkeypatch.context() as patch:
        patch.setattr(journal.shutil, "rmtree", lambda *_, **__: None)
        journal.Journal(recorded.workspace).close_abandoned()
    assert folder.exists()
    assert journal.Journal(recorded.workspace).close_abandoned() == []
    assert not folder.exists()


def test_another_pipelines_executions_are_left_alone(recorded):
    recorded.node("Trainer")
    other, _ = recorded.node("Trainer", "RUNNING", pipeline="books")
    assert journal.Journal(recorded.workspace).close_abandoned() == []
    assert recorded.states()[other] == "RUNNING"


def test_new_store_has_nothing_to_close(recorded):
    assert journal.Journal(recorded.workspace).close_abandoned() == []


def test_lineage_shows_interrupted_executions(recorded):
    version = recorded.push("a")
    dead, _ = recorded.node("Trainer", "RUNNING", run_id="later")
    store = Store(recorded.workspace.metadata_path)
    [step] = trace_pushed(store, version).interrupted
    assert (step.execution.id, step.execution.run_id) == (dead, "later")
    assert step.facts == ["killed: its process died, and nothing was run since"]
    assert trace_pushed(store, version, at_work=True).interrupted[0].facts == ["running"]

    journal.Journal(recorded.workspace).close_abandoned()
    [step] = trace_pushed(store, version, at_work=True).interrupted
    assert step.facts[0].startswith("killed: its process died, found 20")

    newer = recorded.push("b")
    assert trace_pushed(store, version).interrupted == []
    # Nothing that died before its first step has to do with a version.
    assert trace_pushed(store, newer).interrupted == []


def test_step_that_raises_is_failed_and_leaves_no_folder(recorded):
    recorded.push("a")
    book = journal.Journal(recorded.workspace)
    folders = []

    def cut_off():
        with book.step(nodes.FORCED_PUSH, {}, {"reason": "x"}) as step:
            folders.append(recorded.output_folder(nodes.FORCED_PUSH, "model", step.id))
            step.announce("model", "Model", str(folders[0]), {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    execution = recorded.store.get_executions()[-1]
    assert execution.last_known_state == pb.Execution.FAILED
    assert execution.custom_properties["error"].string_value == "KeyboardInterrupt: "
    assert not folders[0].exists()
    assert str(folders[0]) not in [a.uri for a in Store(recorded.workspace.metadata_path).artifacts("Model")]


def test_killed_step_is_closed_by_whether_its_push_arrived(recorded, tmp_path):
    recorded.push("a")
    book = journal.Journal(recorded.workspace)
    steps = {}
    for number, arrived in ((7, False), (8, True)):
        destination = tmp_path / str(number)
        if arrived:
            destination.mkdir()
        steps[arrived] = JournalStep(recorded.store, book._begin(nodes.ROLLBACK, {}, {}))
        properties = {"pushed": 1, "pushed_version": str(number), "pushed_destination": str(destination)}
        steps[arrived].announce("pushed_model", "PushedModel", "uri", properties)
    store = Store(recorded.workspace.metadata_path)
    assert list(pushed_models(store)) == [1000]

    assert book.close_abandoned() == ["Rollback", "Rollback"]
    states = recorded.states()
    assert (states[steps[False].id], states[steps[True].id]) == ("FAILED", "COMPLETE")
    assert list(pushed_models(store)) == [1000, 8]


def test_who_in_a_container_without_names(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(journal.getpass, "getuser", nobody)
    user, _, host = journal.user_at_host().partition("@")
    assert user.isdigit()
    assert host


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"", "a file without tables"),
        (b"SQLite format 3\x00 no more", "a damaged one"),
        (b"x" * 5000, "a damaged one"),
    ],
    ids=["empty", "header", "text"],
)
def test_store_that_is_empty_or_damaged_is_one_sentence(recorded, content, finding):
    recorded.workspace.metadata_path.write_bytes(content)
    with pytest.raises(BadInputError, match=f"expected an ML Metadata store, got {finding}"):
        Store(recorded.workspace.metadata_path)
