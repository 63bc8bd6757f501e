from __future__ import annotations

import os
import pathlib
import sys
import time

import pytest

from shortlist.config.notify import Notify, NotifyCommand
from shortlist.errors import ConfigError
from shortlist.notify import channels, program

BODY = b'{"status": "pushed"}'


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_program_reads_the_message(tmp_path: pathlib.Path):
    target = tmp_path / "message"
    assert program.run(["/bin/sh", "-c", 'cat > "$0"', str(target)], BODY, 30) == ""
    assert target.read_bytes() == BODY


def test_a_program_may_leave_a_large_message_unread():
    assert program.run(["/bin/true"], b"x" * 1_000_000, 30) == ""


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["/bin/sh", "-c", "exit 7"], "sh ended with exit code 7"),
        (["/bin/sh", "-c", "kill -9 $$"], "sh was ended by signal 9"),
        (["/no/such/program"], "program could not be started: No such file or directory"),
    ],
)
def test_a_failure_is_a_sentence(argv: list[str], problem: str):
    assert program.run(argv, BODY, 30) == problem


def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: pathlib.Path):
    child = tmp_path / "child"
    argv = ["/bin/sh", "-c", 'sleep 600 & echo $! > "$0"; wait', str(child)]
    assert program.run(argv, BODY, 1.0) == "sh did not end within 1 s and was killed"
    deadline = time.monotonic() + 60
    while _lives(int(child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # A zombie is dead: nobody here can collect it.
    return status.rpartition(")")[2].split()[0] != "Z"


def test_its_output_goes_nowhere(capfd: pytest.CaptureFixture[str]):
    assert program.run(python("import sys; print('s3cr3t'); print('s3cr3t', file=sys.stderr)"), BODY, 60) == ""
    assert capfd.readouterr() == ("", "")


def test_a_missing_program_is_refused_before_a_run(tmp_path: pathlib.Path):
    script = tmp_path / "tell.sh"
    section = Notify(command=NotifyCommand(argv=(str(script), "ops")))
    with pytest.raises(ConfigError, match=r"notify.command.argv: expected an executable program, got '.*tell.sh', "):
        channels.check(section, os.environ)
    script.write_text("#!/bin/sh\n")
    with pytest.raises(ConfigError, match="chmod"):
        channels.check(section, os.environ)
    script.chmod(0o755)
    channels.check(section, os.environ)
    channels.check(Notify(command=NotifyCommand(argv=("sh", "-c", "true"))), os.environ)
