"""Command lines and variables with bytes that are not UTF-8: one sentence, before any command starts."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = (
    [b"run", b"--config", b"caf\xe9.yaml"],
    [b"run", b"--set", b"workspace=caf\xe9"],
    [b"recommend", b"--history", b"caf\xe9"],
    [b"lineage", b"--html", b"caf\xe9.html"],
    [b"caf\xe9"],
)


def run(arguments: list[bytes], **variables: bytes) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable.encode(), os.fsencode(ROOT / "pipeline_runner.py"), *arguments],
        env={**os.environb, **{name.encode(): value for name, value in variables.items()}},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: b" ".join(arguments).decode("latin-1"))
def test_argument_in_latin_1(arguments):
    done = run(arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: command line: expected text in UTF-8, got '")
    assert r"caf\udce9" in line


def test_variable_in_latin_1():
    done = run([b"data", b"fetch"], SHORTLIST_DATA_DIR=b"/tmp/caf\xe9")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(r"Error: SHORTLIST_DATA_DIR: expected text in UTF-8, got '/tmp/caf\udce9'; rename")


def test_utf_8_is_accepted():
    done = run([b"recommend", b"--config", "café.yaml".encode(), b"--history", b"1"])
    assert done.returncode == 2
    assert "café.yaml: no such config file" in done.stderr
