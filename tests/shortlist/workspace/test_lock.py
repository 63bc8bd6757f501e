"""The lock between real processes: held, released, and left behind by killed ones."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from shortlist.errors import BadInputError, ConfigError
from shortlist.workspace import lock

_HOLDER = """
import pathlib, sys
from shortlist.workspace import lock
with lock.hold(pathlib.Path(sys.argv[1]), "run") as died:
    print(died, flush=True)
    sys.stdin.read()
"""


class Process:
    """A process that holds a lock until it gets a signal."""

    def __init__(self, path: pathlib.Path):
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.found = self._process.stdout.readline().strip()
        self.pid = self._process.pid

    def end(self, sent: signal.Signals | None = None) -> None:
        if sent is not None:
            self._process.send_signal(sent)
        self._process.communicate(timeout=30)


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".lock"


def test_the_second_gets_the_name_of_the_first(path):
    first = Process(path)
    try:
        with pytest.raises(BadInputError) as refused, lock.hold(path, "rollback"):
            pass
        sentence = str(refused.value)
        content = json.loads(path.read_text())
        assert content["pid"] == first.pid
        assert sentence == (
            f"{path.parent} is in use: `shortlist run`, pid {first.pid} on {content['host']}, "
            f"started {content['started']}; "
            f"wait until it ends, or stop it with `kill {first.pid}` there"
        )
        assert content["started"].endswith("+00:00")
        # The refused process has not changed the file.
        assert json.loads(path.read_text()) == content
    finally:
        first.end()


def test_free_again_once_the_first_has_ended(path):
    first = Process(path)
    first.end()
    assert path.read_text() == ""
    with lock.hold(path, "run") as died:
        assert died is None


def test_killed_holder_is_recognised_and_its_lock_taken_over(path):
    first = Process(path)
    first.end(signal.SIGKILL)
    second = Process(path)
    assert f"pid {first.pid} on" in second.found
    second.end()
    with lock.hold(path, "run") as died:
        assert died is None


def test_lock_left_by_a_process_whose_pid_is_somebody_elses_by_now(path):
    # As after a reboot: the file names the pid of a running process, but no process holds the lock.
    left = lock.Holder("run", os.getpid(), "host", "2026-01-02 03:04:05+00:00")
    path.write_text(json.dumps(vars(left)))
    with lock.hold(path, "run") as died:
        assert died == left


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"command": "run", "pid": 1, "host"', b"\xff\x00"])
def test_torn_or_foreign_content_is_no_holder(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with lock.hold(path, "run") as died:
        assert died is None
        # The file contains nothing of an earlier, longer holder.
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_lock_is_free_after_an_exception(path):
    with pytest.raises(KeyboardInterrupt), lock.hold(path, "run"):
        raise KeyboardInterrupt
    with lock.hold(path, "run") as died:
        assert died is None


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(path):
    with lock.hold(path, "run"):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        with lock.hold(path, "run"):
            pass
    finally:
        child.communicate(timeout=30)


def test_asking_whether_it_is_held_takes_nothing(path):
    assert not lock.is_held(path)
    first = Process(path)
    assert lock.is_held(path)
    first.end()
    assert not lock.is_held(path)
    for _ in range(20):
        with lock.hold(path, "run"):
            assert lock.is_held(path)


def test_file_that_cannot_be_made_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError) as refused, lock.hold(tmp_path / "none" / ".lock", "run"):
        pass
    assert "none/.lock: expected a file that can be written" in str(refused.value)
