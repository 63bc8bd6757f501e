"""Processes of versions: what crashes is replaced, what is called is answered, and nothing remains."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from server import channel, processes
from server.facts import Load
from server.metrics import Metrics
from server.rollout import Rollout
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from tests.server import running
from tests.server.test_rollout import is_running, wait_for


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_messages_of_any_size_arrive(pair):
    ours, theirs = pair
    # 40 MB are more than a socket's buffer, and 0 bytes less than one read.
    for message in (b"", b"x" * 40_000_000):
        thread = threading.Thread(target=channel.send, args=(theirs, message))
        thread.start()
        assert channel.receive(ours) == message
        thread.join()


def test_an_exchange_in_an_event_loop_is_one_message_each_way(pair):
    ours, theirs = pair
    ours.setblocking(False)

    def reply():
        channel.send(theirs, channel.receive(theirs)[::-1])

    for message in (b"ab", bytes(range(256)) * 20_000):
        thread = threading.Thread(target=reply)
        thread.start()
        assert asyncio.run(channel.exchange(ours, message)) == message[::-1]
        thread.join()
    theirs.close()
    with pytest.raises(channel.GoneError):
        asyncio.run(channel.exchange(ours, b"ab"))


def test_a_half_message_is_an_end(pair):
    ours, theirs = pair
    # A length of 5, and 2 bytes.
    theirs.sendall(b"\5" + b"\0" * 7 + b"xy")
    theirs.close()
    with pytest.raises(channel.GoneError):
        channel.receive(ours)


def test_the_server_itself_imports_no_tensorflow():
    modules = "server.app, server.grpc_service, server.main, server.processes, server.request_log, server.histories"
    script = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_version_that_ends_its_process_is_refused_and_the_old_one_stays(model_folder, serving_dir, monkeypatch):
    loader = running.loader()
    rollout = Rollout(serving_dir, Serve(), Metrics(), loader)
    try:
        rollout.refresh()
        served = rollout.newest
        running.push(model_folder, serving_dir, 2)
        fork = loader._fork

        def crash(sockets):
            pid = fork(sockets)
            os.kill(pid, signal.SIGKILL)
            return pid

        with monkeypatch.context() as patched:
            patched.setattr(loader, "_fork", crash)
            rollout.refresh()
        assert rollout.newest is served
        assert "expected a model that loads, got one that ends its process" in rollout.refused["2"]
        # Nothing is wrong with its files, so it is tried again later.
        rollout._refusals._times["2"] = 0.0
        rollout.refresh()
        assert rollout.newest.facts.version == "2"
        assert rollout.refused == {}
    finally:
        rollout.close()


def test_a_version_whose_process_crashes_is_loaded_again(serving_dir):
    with running.running(serving_dir, Serve(poll_seconds=600)) as server:
        client = server.client()
        gone = server.rollout.newest.model
        crashed = gone.pid
        assert client.recommend(k=3)["version"] == "1"
        os.kill(crashed, signal.SIGKILL)
        statuses = []

        def is_back():
            statuses.append(client.post("/v1/recommend", {"k": 3})[0])
            return statuses[-1] == 200

        # Requests meanwhile are told to come again.
        wait_for(is_back)
        assert set(statuses[:-1]) == {503}
        assert server.rollout.newest.model.pid != crashed
        assert server.metric("shortlist_lost_processes_total") == 1
        # Its sockets are closed.
        assert gone._connections[0].fileno() == -1
        assert client.get("/readyz")[0] == 200


def test_a_version_that_hangs_is_ended_and_loaded_again(serving_dir, monkeypatch):
    monkeypatch.setattr(processes, "_ALARM_SECONDS", 0.2)
    with running.running(serving_dir, Serve(poll_seconds=600)) as server:
        hanging = server.rollout.newest.model.pid
        os.kill(hanging, signal.SIGSTOP)
        client = server.client()
        assert client.post("/v1/recommend", {})[0] == 503

        def is_replaced() -> bool:
            # There is no version between the end of one process and the start of the next.
            newest = server.rollout.newest
            return client.get("/readyz")[0] == 200 and newest is not None and newest.model.pid != hanging

        wait_for(is_replaced)
        wait_for(lambda: not is_running(hanging))


def test_the_loader_has_the_modules_of_its_server_and_none_of_the_current_folder(tmp_path, monkeypatch, model_folder):
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit('another package')")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(processes.Loader()) as loader:
        model = loader.load(Load(model_folder, 1), lambda: None)
        assert model.facts.max_k == running.K
        model.close()


def test_a_process_without_its_loader_goes_on_and_the_next_one_has_another_loader(model_folder):
    loader = running.loader()
    first = loader.load(Load(model_folder, 1), lambda: None)
    loader._process.kill()
    loader._process.wait()
    second = loader.load(Load(model_folder, 1), lambda: None)
    for model in (first, second):
        assert model.call("titles", ["item-3"]) == [{"id": "item-3", "title": "Title of item-3"}]
        model.close()


def test_a_retired_version_answers_what_it_was_asked_and_then_ends(model_folder):
    model = running.loader().load(Load(model_folder, 1), lambda: None)
    answers = []
    os.kill(model.pid, signal.SIGSTOP)
    thread = threading.Thread(target=lambda: answers.append(model.call("titles", ["item-4"])))
    thread.start()
    wait_for(lambda: model._num_users == 1)
    model.retire()
    with pytest.raises(channel.GoneError):
        model.call("titles", ["item-4"])
    assert is_running(model.pid)
    os.kill(model.pid, signal.SIGCONT)
    thread.join(timeout=60)
    assert answers == [[{"id": "item-4", "title": "Title of item-4"}]]
    wait_for(lambda: not is_running(model.pid))


def test_what_a_call_refuses_is_refused_here(model_folder):
    ended = []
    model = running.loader().load(Load(model_folder, 1), lambda: ended.append(True))
    with pytest.raises(Exception, match="does not know candidate 'nope'") as raised:
        model.call("similar", ["nope"], {}, 3)
    assert raised.value.status == 404
    with pytest.raises(RuntimeError, match="KeyError"):
        model.call("nonsense")
    model.close()
    wait_for(lambda: not is_running(model.pid))
    # It was closed, and did not end by itself.
    assert ended == []


def test_a_folder_without_a_model_is_an_error_of_its_own(tmp_path):
    with pytest.raises(BadInputError, match="not a model that Shortlist pushed|complete version"):
        running.loader().load(Load(tmp_path, 1), lambda: None)
