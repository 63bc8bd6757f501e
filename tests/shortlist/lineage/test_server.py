"""ML Metadata on real servers: refusals, shared databases, and secrecy of the password."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import pathlib
import resource
import socket
import subprocess
import sys
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from benchmarks.lineage_store import NODES, PUSHED, StoreWriter
from cli.output import manual_pushes as by_hand
from shortlist.errors import BadInputError, ConfigError
from shortlist.lineage import journal
from shortlist.lineage.database import database
from shortlist.lineage.impact import impact
from shortlist.lineage.store import Store
from shortlist.lineage.trace import trace_pushed
from shortlist.runs import record
from shortlist.runs.rollback import rollback
from shortlist.workspace import Workspace
from tests.servers import PASSWORD, PASSWORD_ENV, SERVERS
from tests.shortlist.lineage.recorded import Recorded

ROOT = pathlib.Path(__file__).parents[3]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request):
    with pytest.MonkeyPatch.context() as patch, SERVERS[request.param]() as settings:
        patch.setenv(PASSWORD_ENV, PASSWORD)
        yield settings


@pytest.fixture(scope="module")
def two(server, tmp_path_factory) -> tuple[Workspace, Workspace]:
    """Two pipelines that make the tables at the same moment and then write a run of the same second each, at once."""
    folder = tmp_path_factory.mktemp("two")
    processes = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, processes) as pool:
        here, there = pool.map(_write, [folder / "here", folder / "there"], [server, server])
    return here, there


def _write(root: pathlib.Path, server) -> Workspace:
    maker = StoreWriter(root, root.name, server)
    maker.run(0, PUSHED, data=root.name[0])
    return maker.workspace


def test_each_pipeline_sees_its_own_part(two):
    stores = [Store.of(workspace) for workspace in two]
    for workspace, store in zip(two, stores, strict=True):
        [run_id] = store.run_ids()
        executions = store.run_executions(run_id)
        assert len(executions) == len(store.executions()) == len(NODES)
        assert {execution.id for execution in executions} == {execution.id for execution in store.executions()}
        root = str(workspace.pipeline_root)
        assert all(artifact.uri.startswith(root) for artifact in store.all_artifacts())
        [model] = [artifact for artifact in store.artifacts("Model") if "/Trainer/" in artifact.uri]
        assert store.producer(model.id).node == "Trainer"
        assert len(store.executions_of("RetrievalTrainer", "Trainer")) <= 1
        assert store.interrupted() == []
    ids = [{artifact.id for artifact in store.all_artifacts()} for store in stores]
    assert ids[0].isdisjoint(ids[1])
    assert stores[0].artifact(min(ids[1])) is None


def test_lineage_answers_as_from_a_file(two, tmp_path):
    here, _ = two
    in_file = StoreWriter(tmp_path / "workspace", "here")
    run_id = in_file.run(0, PUSHED, data="h")
    stores = [Store.of(workspace) for workspace in (here, in_file.workspace)]
    answers = [trace_pushed(store) for store in stores]
    assert [step.execution.node for step in answers[0].steps] == [step.execution.node for step in answers[1].steps]
    assert answers[0].version == answers[1].version
    reached = [impact(store, run_id) for store in stores]
    assert len(reached[0].runs) == len(reached[1].runs)
    assert [found.run_id for found in record.records(here)] == [run_id]


def test_a_rollback_and_a_killed_run_are_recorded(server, tmp_path):
    recorded = Recorded(tmp_path, "rolled-back", server)
    first, second = recorded.push("a"), recorded.push("b")
    dead, _ = recorded.node("Trainer", "RUNNING")
    restored = rollback(recorded.workspace, 3, reason="bad since noon")
    assert recorded.tags() == {first: "a", second: "b", restored.version: "a"}
    assert recorded.states()[dead] == "FAILED"
    assert [e.node for e in Store.of(recorded.workspace).interrupted()] == ["Trainer"]
    assert "bad since noon" in by_hand.find_manual_push(recorded.workspace).facts


def test_another_workspace_cannot_take_the_name(server, two, tmp_path):
    stranger = Workspace(tmp_path / "elsewhere", "here", server)
    for attempt in (lambda: database(stranger).check(), lambda: database(stranger).begin_run("x")):
        with pytest.raises(ConfigError, match=f"got one of {socket.gethostname()}:{two[0].root}"):
            attempt()
    with pytest.raises(BadInputError):
        journal.Journal(stranger)
    # Its own workspace may be moved.
    moved = two[0].root.rename(tmp_path / "moved")
    database(Workspace(moved, "here", server)).check()
    moved.rename(two[0].root)


def test_nothing_was_run_yet(server, tmp_path):
    workspace = Workspace(tmp_path / "new", "new", server)
    database(workspace).check()
    with pytest.raises(BadInputError, match="there is no run of this workspace yet; `shortlist run` makes the first"):
        Store.of(workspace)
    assert not workspace.root.exists()


def test_a_refused_login_is_reported_in_a_second(server, tmp_path, monkeypatch):
    def refusal(**changes) -> str:
        workspace = Workspace(tmp_path, "x", server.model_copy(update=changes))
        start = time.monotonic()
        with pytest.raises(BadInputError) as refused:
            database(workspace).check()
        assert time.monotonic() - start < 60
        return str(refused.value)

    assert "got: Connection refused; start the server" in refusal(port=1)
    assert "to accept the user 'nobody', got" in refusal(user="nobody")
    assert "mlmd2" in refusal(database="mlmd2")
    assert "metadata.host: expected a server at no.such.host.invalid" in refusal(host="no.such.host.invalid")
    monkeypatch.setenv(PASSWORD_ENV, "another-one-5")
    assert f"check user, password ({PASSWORD_ENV}) and database" in refusal()
    assert "another-one-5" not in refusal()
    monkeypatch.delenv(PASSWORD_ENV)
    assert f"expected the environment variable {PASSWORD_ENV}" in refusal()


def test_command_says_nothing_of_the_connection_and_is_quick(server, two, tmp_path):
    config = tmp_path / "here.yaml"
    facts = "\n".join(f"  {key}: {value}" for key, value in server.model_dump().items())
    config.write_text(
        f"""
name: here
workspace: {two[0].root}
data:
  schemas: schemas
  interactions: {{path: log.csv, query_id: u, candidate_id: i, timestamp: t}}
  candidates: {{path: items.csv, candidate_id: i}}
metadata:
{facts}
"""
    )
    command = [sys.executable, "-c", "from cli import main; main()"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*command, "lineage", "--config", config], capture_output=True, text=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Trainer" in done.stdout
    assert PASSWORD not in done.stdout
    # Seconds of a processor: other tests keep it busy meanwhile.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b\\n\\"c\\""}',
        "back\\slash",
        "\\",
        "\\'; drop table artifact; --",
        "'; drop table artifact; --",
        "it''s 'so' \"so\" `so`",
        "$0 $1 %s {0} ? :x",
        "Ünïcode 漢字",
        "🛒",
        "line\nline\ttab",
        "x" * 70_000,
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_any_text_comes_back_as_it_was(server, two, text):
    store = database(two[0]).writer()
    kind = store.get_artifact_type("Model").id
    artifact = pb.Artifact(type_id=kind, uri=f"/{text[:1000]}", state=pb.Artifact.LIVE)
    artifact.custom_properties["text"].string_value = text
    [stored] = store.put_artifacts([artifact])
    [found] = store.get_artifacts_by_id([stored])
    assert found.custom_properties["text"].string_value == text
    assert found.uri == artifact.uri
    assert artifact.custom_properties["text"].string_value == text


def test_answers_come_in_the_order_of_the_questions(server, two):
    store = database(two[0]).writer()
    models, pushed = (store.get_artifact_type(name).id for name in ("Model", "PushedModel"))
    kinds = [models, pushed, models]
    ids = store.put_artifacts([pb.Artifact(type_id=kind, uri=str(place)) for place, kind in enumerate(kinds)])
    # PostgreSQL moves what is changed to the end of the table.
    [first] = store.get_artifacts_by_id(ids[:1])
    first.state = pb.Artifact.LIVE
    store.put_artifacts([first])
    assert [artifact.uri for artifact in store.get_artifacts_by_id(ids)] == ["0", "1", "2"]
    assert [artifact.uri for artifact in store.get_artifacts_by_id(ids[::-1])] == ["2", "1", "0"]
    assert [kind.name for kind in store.get_artifact_types_by_id(kinds)] == ["Model", "PushedModel", "Model"]
