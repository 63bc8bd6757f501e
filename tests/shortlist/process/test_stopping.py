import signal
import subprocess
import sys
import time

import pytest

_PROCESS = """
import signal, sys, time
from shortlist.process import stopping
signal.signal(signal.SIGINT, signal.SIG_DFL)
stopping.stop_when_asked()
try:
    with stopping.insisted():
        {body}
except BaseException as error:
    print(type(error).__name__, getattr(error, "code", ""), type(error.__cause__).__name__)
"""

_HERE = 'print("here", flush=True)'
_SWALLOWS = f"""
        {_HERE}
        for _ in range(2):
            try:
                time.sleep(60)
            except BaseException:
                pass
"""
_TURNS = f"""
        try:
            {_HERE}
            time.sleep(60)
        except BaseException:
            raise ValueError("cannot trace this")
"""


def _told(body: str, number: signal.Signals | None = None) -> tuple[str, float]:
    """What the process says of its end, and after how many seconds."""
    command = [sys.executable, "-c", _PROCESS.format(body=body.strip())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        start = time.monotonic()
        if number is not None:
            process.send_signal(number)
        return process.stdout.read().strip(), time.monotonic() - start


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit 143")])
class TestInsisted:
    def test_what_nobody_catches(self, number, said):
        told, seconds = _told(f"{_HERE}; time.sleep(60)", number)
        assert told.startswith(said)
        assert seconds < 30

    def test_turned_into_another_exception(self, number, said):
        told, seconds = _told(_TURNS, number)
        assert told.startswith(said)
        assert told.endswith("ValueError")
        assert seconds < 30

    def test_caught_and_raised_again(self, number, said):
        told, seconds = _told(_SWALLOWS, number)
        assert told.startswith(said)
        assert seconds < 30


def test_a_body_that_was_not_asked_raises_what_it_raises():
    assert _told(f'{_HERE}; raise ValueError("a fault")')[0] == "ValueError  NoneType"


def test_a_body_that_was_not_asked_ends():
    assert _told(_HERE)[0] == ""
