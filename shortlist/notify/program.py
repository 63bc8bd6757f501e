"""A program that gets a message on its standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence


def run(argv: Sequence[str], body: bytes, timeout_seconds: float) -> str:
    """Runs a program and returns an empty text, or a sentence if it failed.

    The program is the leader of a new process group, which is killed at the timeout with all its children. Its output
    is discarded, since a script may print its secrets.

    Args:
      argv: The program and its arguments.
      body: Its standard input.
      timeout_seconds: Time for it to end.
    """
    name = os.path.basename(argv[0])
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"{name} could not be started: {error.strerror}"
    try:
        # A program that does not read its input ends with a broken pipe here, which `communicate` ignores.
        process.communicate(body, timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"{name} did not end within {timeout_seconds:g} s and was killed"
    finally:
        if process.poll() is None:
            _kill(process)
    if process.returncode < 0:
        return f"{name} was ended by signal {-process.returncode}"
    return f"{name} ended with exit code {process.returncode}" if process.returncode else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
