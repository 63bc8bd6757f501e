"""A workspace that this account may only read: readers work, and writers refuse in one sentence."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.cli.test_store_file import KILLED
from tests.compatibility.make_workspace import HISTORY
from tests.compatibility.restored import restore

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
# Root writes to any folder, except without these rights.
_WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"]


@contextlib.contextmanager
def _modes(folder: pathlib.Path, change: str):
    subprocess.run(["chmod", "-R", change, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recorded workspace with a pushed model, its data and its config."""
    root = tmp_path_factory.mktemp("read-only")
    restore(root)
    with _modes(root / "workspace", "a-w"):
        yield root


def _shortlist(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from cli import main; main()", *arguments, "--config", "circle.yaml"]
    return subprocess.run(
        [*(_WITHOUT_RIGHTS if os.geteuid() == 0 else []), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SHORTLIST_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def _refusal(folder: pathlib.Path, *arguments: str) -> str:
    done = _shortlist(folder, *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_recommend(folder):
    done = _shortlist(folder, "recommend", "--history", HISTORY, "-k", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    recorded = json.loads((folder / "answers.json").read_text())
    newest = recorded[max(recorded, key=int)]
    assert [row["id"] for row in json.loads(done.stdout)] == [row["id"] for row in newest]


@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        ("runs", "compare", "latest", "latest"),
        ("runs", "prune", "--keep", "1"),
        ("lineage",),
        ("lineage", "--served"),
        ("report", "--text"),
    ],
    ids=" ".join,
)
def test_readers(folder, command):
    done = _shortlist(folder, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_report_names_the_ways_that_work(folder, tmp_path):
    line = _refusal(folder, "report")
    assert "report.html: expected a file that can be written, got: Permission denied; give another file with " in line
    done = _shortlist(folder, "report", "--output", str(tmp_path / "page.html"))
    assert done.returncode == 0
    assert (tmp_path / "page.html").stat().st_size


@pytest.mark.parametrize(
    "command",
    [("rollback",), ("push", "--force", "--reason", "x"), ("runs", "prune", "--keep", "1", "--yes"), ("ablate",)],
    ids=" ".join,
)
def test_writers(folder, command):
    line = _refusal(folder, *command)
    assert ".lock: expected a file that can be written, got: Permission denied; use an account that may write" in line


def test_run(folder):
    assert "expected a writable folder at workspace, got: Permission denied" in _refusal(folder, "run")


def test_unfinished_transaction(tmp_path):
    restore(tmp_path)
    store = tmp_path / "workspace" / "metadata" / "mlmd.sqlite"
    subprocess.run([sys.executable, "-c", KILLED, str(store)])
    with _modes(store.parent, "a-w"):
        line = _refusal(tmp_path, "runs")
        assert "expected an ML Metadata store without an unfinished transaction" in line
        assert "use an account" not in line
    assert _shortlist(tmp_path, "runs").returncode == 0


def test_only_the_store_is_read_only(tmp_path):
    restore(tmp_path)
    with _modes(tmp_path / "workspace" / "metadata", "a-w"):
        for command in (("rollback",), ("runs", "prune", "--keep", "1", "--yes")):
            line = _refusal(tmp_path, *command)
            assert "mlmd.sqlite: expected an ML Metadata store that can be written, got a read-only one; check" in line
