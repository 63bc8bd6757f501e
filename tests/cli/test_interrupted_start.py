"""Ctrl-C at any moment of a command's start: no traceback, and exit code 130 unless the command had ended."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from shortlist.process.stopping import SENTENCE
from tests.compatibility.restored import restore

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
_MOMENTS = 20
_MAX_SECONDS = 3.0
_OURS = ("cli", "shortlist", "pipeline_runner.py")
_ENTRIES = {
    "pipeline_runner.py": [str(ROOT / "pipeline_runner.py")],
    "python -m shortlist": ["-m", "shortlist"],
    "shortlist": ["-c", "from cli import main; main()"],
}
_COMMANDS = {
    "--help": ["--help"],
    "runs": ["runs", "--config", "circle.yaml"],
    "recommend": ["recommend", "--history", "i3,i4", "--config", "circle.yaml"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded")
    restore(root)
    return root


def start(folder, entry, command):
    return subprocess.Popen(
        [sys.executable, *_ENTRIES[entry], *_COMMANDS[command]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SHORTLIST_DATA_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # pytest itself may ignore Ctrl-C, if a shell started it in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("entry", _ENTRIES)
def test_ctrl_c(folder, entry, command):
    began = time.monotonic()
    start(folder, entry, command).communicate()
    # The moments are within the command's own time, which is half a second for `--help`.
    seconds = min(time.monotonic() - began, _MAX_SECONDS)
    codes = []
    for moment in range(_MOMENTS):
        running = start(folder, entry, command)
        time.sleep(seconds * moment / _MOMENTS)
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate()
        # For some 50 ms Python starts itself and imports `site`, before the first line of a program.
        if "KeyboardInterrupt" in stderr and not any(str(ROOT / ours) in stderr for ours in _OURS):
            continue
        codes.append(running.returncode)
        if running.returncode == 0:
            # It had ended, or it had answered and was about to.
            assert (bool(stdout), SENTENCE in stderr) == (True, False)
        else:
            # The kernel ends a process whose Python has not started, or has ended; a shell then has 130, too.
            assert running.returncode in (130, -signal.SIGINT)
            assert stderr.strip() in (SENTENCE, "")
    assert 130 in codes
    assert len(codes) >= _MOMENTS / 2
