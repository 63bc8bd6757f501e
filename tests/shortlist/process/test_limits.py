"""Limits on addresses and threads: refused with the number, or reported by the watching process."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys

import pytest

_MIB = 2**20
_WATCHED = """
import os, sys, threading
from shortlist.process import limits
limits.watch()
print(limits._pipe is not None, flush=True)
{body}
"""
_THREADS = """
import pathlib, threading
from shortlist.process import resources
threading.stack_size(64 * 2**20)
stop = threading.Event()
try:
    with resources.raises_resource_error(pathlib.Path("/tmp")):
        while True:
            threading.Thread(target=stop.wait, daemon=True).start()
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


def _run(code: str, mebibytes: int | None) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if mebibytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (mebibytes * _MIB, mebibytes * _MIB))

    return subprocess.run(
        [sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True, check=False, timeout=60
    )


def test_too_few_addresses_are_refused_with_the_number():
    code = "from shortlist.process import limits; limits.check_addresses()"
    done = _run(code, 1000)
    assert "expected 2,048 MiB of addresses or more for TensorFlow, got a limit of 1,000 MiB; raise it" in done.stderr
    assert _run(code, 2100).returncode == 0
    assert _run(code, None).returncode == 0


@pytest.mark.parametrize(
    ("body", "number"),
    [("os.abort()", signal.SIGABRT), ("os.kill(os.getpid(), 9)", signal.SIGKILL), ("os.kill(os.getpid(), 11)", 11)],
)
def test_a_process_that_dies_within_limits(body, number):
    done = _run(_WATCHED.format(body=body), 3000)
    assert (done.returncode, done.stdout) == (-number, "True\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: the process was aborted or killed; ")
    assert ": 3,000 MiB of addresses (`ulimit -v`)" in line


@pytest.mark.parametrize("body", ["limits.ended()", "limits.ended(); os._exit(0)", "limits.ended(); limits.ended()"])
def test_a_process_that_ends(body):
    done = _run(_WATCHED.format(body=body), 3000)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_nothing_watches_a_process_without_limits():
    done = _run(_WATCHED.format(body="os.abort()"), None)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_watching_process_holds_no_file_of_the_command(tmp_path):
    """A lock that it held would outlive the command."""
    body = f"""
file = open({str(tmp_path / "lock")!r}, "w")
import fcntl, glob
fcntl.flock(file, fcntl.LOCK_EX)
limits.watch()
import time; time.sleep(0.5)
[child] = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()[-1:]
print([os.readlink(path) for path in glob.glob(f"/proc/{{child}}/fd/*") if "lock" in os.readlink(path)], flush=True)
limits.ended()
"""
    assert _run(_WATCHED.format(body=body), 3000).stdout.splitlines()[-1] == "[]"


def test_no_further_thread():
    done = _run(_THREADS, 1000)
    assert done.stdout.startswith("ResourceError no further thread could be started (limits: 1,000 MiB of addresses (")
