"""A store of ML Metadata that is busy, damaged, read-only or no store: each command says so in one sentence."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import pytest
import yaml

from benchmarks.lineage_store import ENDS, NAME, PUSHED, StoreWriter
from cli.app import app
from shortlist.errors import ExitCode, ShortlistError
from shortlist.lineage import sqlite_file
from shortlist.lineage.database import database
from shortlist.lineage.store import Store
from shortlist.workspace import Workspace
from tests.cli.test_errors import Project

READERS = {
    "runs": ["runs"],
    "runs compare": ["runs", "compare", "latest", "latest"],
    "lineage": ["lineage"],
    "lineage --served": ["lineage", "--served"],
    "report": ["report", "--text"],
    "ablate": ["ablate"],
}
WRITERS = {
    "run": ["run"],
    "push": ["push", "--force", "--reason", "x"],
    "rollback": ["rollback"],
    "runs prune": ["runs", "prune", "--yes", "--keep", "1"],
}
COMMANDS = READERS | WRITERS
# Holds a lock of sqlite until its stdin is closed. POSIX locks do not exclude threads of one process.
_HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""
# Dies within a transaction that has already changed the file.
KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma cache_size = 2")
connection.execute("begin immediate")
for number in range(3000):
    connection.execute("insert into Type (name, version, type_kind) values (?, 'v', 1)", (f"t{number}" * 20,))
os._exit(9)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Project:
    """A project whose workspace has two runs."""
    project = Project(tmp_path_factory.mktemp("recorded"))
    maker = StoreWriter(pathlib.Path(project.config["workspace"]))
    maker.run(0, PUSHED)
    maker.run(1, ENDS[1], data="b")
    return project


@pytest.fixture
def project(recorded, tmp_path, monkeypatch) -> Project:
    """A copy of it."""
    copied = Project(tmp_path)
    shutil.copytree(recorded.root / "workspaces", tmp_path / "workspaces", symlinks=True)
    copied.config["name"] = NAME
    copied.write("x.yaml", yaml.safe_dump(copied.config))
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.2)
    return copied


def _store(project: Project) -> pathlib.Path:
    return pathlib.Path(project.config["workspace"]) / "metadata" / "mlmd.sqlite"


def _workspace(project: Project) -> Workspace:
    return Workspace(pathlib.Path(project.config["workspace"]), NAME)


def _refusal(project: Project, command: str) -> str:
    """Runs a command as `cli.main` does and returns its one sentence."""
    with pytest.raises(ShortlistError) as raised:
        app([*COMMANDS[command], "--config", str(project.root / "x.yaml")], standalone_mode=False)
    assert raised.value.exit_code == ExitCode.BAD_INPUT
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert len(sentence) < len(str(project.root)) + 250
    return sentence


@contextlib.contextmanager
def _held(path: pathlib.Path, statement: str):
    command = [sys.executable, "-c", _HOLDER, str(path), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        yield
        holder.stdin.close()


def _half(path):
    os.truncate(path, path.stat().st_size // 2)


def _first_kilobyte(path):
    os.truncate(path, 1000)


def _garbage(path):
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\x55" * (len(content) - 8192))


def _text(path):
    path.write_text("dear diary\n" * 1000)


def _folder(path):
    path.unlink()
    path.mkdir()


def _foreign(path):
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table songs (title)")
        connection.commit()


def _newer(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("update MLMDEnv set schema_version = 99")
        connection.commit()


_SPOILED = [
    (_half, "got a damaged one (database disk image is malformed); restore it from a backup"),
    (_first_kilobyte, "got a damaged one (database disk image is malformed); restore it from a backup"),
    (_garbage, "got a damaged one (database disk image is malformed); restore it from a backup"),
    (_text, "got a damaged one (file is not a database); restore it from a backup"),
    (_folder, "expected an ML Metadata store, got a folder; set `workspace` to another folder"),
    (_foreign, "expected an ML Metadata store, got a database of another program; set `workspace`"),
    (_newer, "expected an ML Metadata store of version 10 at most, got 99; use the Shortlist that made it"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("spoil", "words"), _SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_unusable_file(project, spoil, words, command):
    path = _store(project)
    spoil(path)
    before = None if path.is_dir() else path.read_bytes()
    sentence = _refusal(project, command)
    assert sentence.startswith(f"{path}: ")
    assert words in sentence
    # Nothing was written into a file that may still be repaired, or that another program owns.
    assert (None if path.is_dir() else path.read_bytes()) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_file_without_tables(project, command):
    """A run that dies at once leaves one: no command writes into it, and `run` continues with it."""
    _store(project).write_bytes(b"")
    if command == "run":
        database(_workspace(project)).check()
    elif command.startswith("lineage"):
        assert "got a file without tables, as a run leaves it that dies at once; " in _refusal(project, command)
    elif command in WRITERS or command == "ablate":
        assert "there is no run here yet; `shortlist run` trains a model and pushes it" in _refusal(project, command)
    else:
        # The runs' own folders have what these commands show.
        app([*COMMANDS[command], "--config", str(project.root / "x.yaml")], standalone_mode=False)
    assert _store(project).stat().st_size == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_busy_store_is_not_called_damaged(project, command):
    before = _store(project).read_bytes()
    with _held(_store(project), "begin exclusive"):
        sentence = _refusal(project, command)
    assert sentence.startswith(f"{_store(project)}: expected a store that no other program writes to, got a busy one; ")
    assert sentence.endswith("run the command again when that program has ended")
    assert _store(project).read_bytes() == before


@pytest.mark.parametrize("command", WRITERS)
def test_writers_wait_for_another_writer(project, command):
    with _held(_store(project), "begin immediate"):
        assert "got a busy one" in _refusal(project, command)
        # Readers need not wait for it.
        assert len(Store(_store(project)).run_ids()) == 2


def test_a_writer_killed_within_a_transaction_leaves_a_readable_store(project):
    path = _store(project)
    executions = len(Store(path).executions())
    subprocess.run([sys.executable, "-c", KILLED, str(path)])
    journal = path.with_name("mlmd.sqlite-journal")
    assert journal.stat().st_size
    assert len(Store(path).executions()) == executions
    assert not journal.exists()


def test_a_store_that_becomes_damaged_while_it_is_open(project):
    store = database(_workspace(project)).writer()
    assert store.get_executions()
    _half(_store(project))
    with pytest.raises(ShortlistError, match="got a damaged one") as raised:
        store.get_executions()
    assert raised.value.exit_code == ExitCode.BAD_INPUT
