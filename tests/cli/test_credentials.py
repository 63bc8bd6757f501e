"""Credentials in an address reach neither the terminal nor the log, whatever quotes the address."""

from __future__ import annotations

import io
import json
import os
import pathlib
import subprocess
import sys

import pytest

from cli.output import consoles

ROOT = pathlib.Path(__file__).parents[2]
ADDRESSES = ["s3://AKIAKEY:hunter2@bucket/log.csv", "https://a.blob.core.windows.net/c/log.csv?sv=1&sig=hunter2"]
COMMANDS = [
    ("run", "--set", "data.interactions.path={}", "--config", str(ROOT / "configs/smoke.yaml")),
    ("run", "--set", "{}"),
    ("run", "--set", "train=!x '{}'"),
    ("run", "--set", "{}=1", "--config", str(ROOT / "configs/smoke.yaml")),
    ("run", "--config", "{}"),
    ("run", "{}"),
    ("{}",),
    ("recommend", "--query", "1", "--config", "{}"),
    ("schema", "infer", "{}", "--name", "x"),
    ("data", "fetch", "{}"),
    ("lineage", "--config", "{}"),
    ("runs", "--config", "{}"),
    ("submit", "--param", "data_root={}"),
    ("submit", "--param", "{}"),
    ("submit", "--baseline", "{}"),
    ("submit", "--host", "{}", "--config", str(ROOT / "configs/smoke.yaml")),
]


def run(folder: pathlib.Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SHORTLIST_DATA_DIR": str(folder / "data"), **variables}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )


# All commands in one process, since each loads the same libraries.
_ALL = """
import contextlib, io, json, sys
from cli.app import main

results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["shortlist", *arguments]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            results.append((arguments, end.code, out.getvalue()))
print(json.dumps(results))
"""


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_command_prints_them(tmp_path, address):
    commands = [[argument.replace("{}", address) for argument in command] for command in COMMANDS]
    done = run(tmp_path, "-c", _ALL, json.dumps(commands))
    results = json.loads(done.stdout)
    assert [arguments for arguments, _, _ in results] == commands
    for arguments, code, printed in results:
        assert code == 2, arguments
        # Libraries print warnings before it.
        assert printed.splitlines()[-1].startswith("Error: "), arguments
        assert "hunter2" not in printed, arguments


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_config_is_guessed_from_an_address_with_them(tmp_path, address):
    done = run(tmp_path, str(ROOT / "pipeline_runner.py"), "schema", "infer", address, "--name", "x")
    assert "expected an address without credentials, got " in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("proxy", ["http://me:hunter2@127.0.0.1:9", "http://me:hunter2/x@127.0.0.1:9"])
def test_a_fetch_through_a_proxy_does_not_print_them(tmp_path, proxy):
    client = {"PATH": "", "PIP_INDEX_URL": proxy, "UV_INDEX_URL": proxy}
    fetch = run(
        tmp_path,
        *(str(ROOT / "pipeline_runner.py"), "data", "fetch", "movielens-100k"),
        **{"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "", **client},
    )
    assert fetch.returncode == 2
    assert "hunter2" not in fetch.stderr + fetch.stdout


_UNEXPECTED = """
import warnings
import cli.app

def fail():
    warnings.warn("s3://KEY:hunter2@bucket was slow")
    raise RuntimeError("cannot open s3://KEY:hunter2@bucket \\x1b[2J")

cli.app.app = lambda **_: fail()
cli.app.main()
"""


def test_a_traceback_is_plain_and_without_them(tmp_path):
    done = run(tmp_path, "-c", _UNEXPECTED)
    assert done.returncode == 1
    assert "s3://***@bucket was slow" in done.stderr
    assert done.stderr.endswith("RuntimeError: cannot open s3://***@bucket \ufffd[2J\n")
    assert "Traceback (most recent call last)" in done.stderr
    assert "hunter2" not in done.stderr


_LOGGED = """
import logging, pathlib, sys
from cli.output.log import redirect_output

with redirect_output(pathlib.Path("run.log"), verbose=sys.argv[1] == "verbose"):
    try:
        raise OSError("cannot open s3://KEY:hunter2@bucket")
    except OSError:
        logging.getLogger("absl").exception("Reading %s failed", "https://h/x?sig=hunter2")
"""


@pytest.mark.parametrize("mode", ["quiet", "verbose"])
def test_the_log_has_neither_messages_nor_tracebacks_with_them(tmp_path, mode):
    done = run(tmp_path, "-c", _LOGGED, mode)
    log = done.stderr if mode == "verbose" else (tmp_path / "run.log").read_text()
    assert "ERROR:absl:Reading https://h/x?sig=*** failed" in log
    assert "OSError: cannot open s3://***@bucket" in log
    assert "hunter2" not in log


def test_no_printed_string_has_them():
    out = io.StringIO()
    console = consoles.console(file=out, width=200)
    console.print("Data: s3://KEY:hunter2@bucket\nand more \x1b[2J", soft_wrap=True)
    consoles.warn(console, "s3://KEY:hunter2@bucket is slow")
    assert out.getvalue() == "Data: s3://***@bucket\nand more \ufffd[2J\nWarning: s3://***@bucket is slow\n"
