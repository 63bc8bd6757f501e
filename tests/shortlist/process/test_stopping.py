import signal
import subprocess
import sys
import time

import pytest

from shortlist.process import stopping

_PROCESS = """
import signal, sys, time
from shortlist.process import stopping
signal.signal(signal.SIGINT, signal.SIG_DFL)
stopping.install_handlers()
try:
    with stopping.reraise_stop():
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
_CONVERTS = f"""
        try:
            {_HERE}
            time.sleep(60)
        except BaseException:
            raise ValueError("cannot trace this")
"""


def _output(body: str, number: signal.Signals | None = None) -> tuple[str, float]:
    """Returns the output of the process after its start, and the seconds until its end."""
    command = [sys.executable, "-c", _PROCESS.format(body=body.strip())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        start = time.monotonic()
        if number is not None:
            process.send_signal(number)
        return process.stdout.read().strip(), time.monotonic() - start


@pytest.mark.parametrize(("number", "end"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "SystemExit 143")])
class TestReraiseStop:
    def test_exception_that_nobody_catches(self, number, end):
        output, seconds = _output(f"{_HERE}; time.sleep(60)", number)
        assert output.startswith(end)
        assert seconds < 30

    def test_converted_into_another_exception(self, number, end):
        output, seconds = _output(_CONVERTS, number)
        assert output.startswith(end)
        assert output.endswith("ValueError")
        assert seconds < 30

    def test_caught_and_raised_again(self, number, end):
        output, seconds = _output(_SWALLOWS, number)
        assert output.startswith(end)
        assert seconds < 30


@pytest.mark.parametrize(
    ("writing", "printed"), [(False, stopping.SENTENCE), (True, "imported\nKeyboardInterrupt  NoneType")]
)
def test_nothing_is_raised_within_an_import(tmp_path, writing, printed):
    # TensorFlow's compiled modules crash on an exception at such a moment.
    (tmp_path / "slow.py").write_text(
        f"import time\n{_HERE}\nend = time.monotonic() + 3\n"
        "while time.monotonic() < end: time.sleep(0.01)\nprint('imported', flush=True)\n"
    )
    body = f"""
        sys.path.insert(0, {str(tmp_path)!r})
        with stopping.reraise_stop(writing={writing}):
            import slow
            time.sleep(60)
"""
    output, seconds = _output(body, signal.SIGINT)
    assert output == printed
    assert seconds < stopping.GRACE_SECONDS


_IGNORES = f"""
        class Dying:
            def __del__(self):
                {_HERE}
                time.sleep(60)
        dying = Dying()
        del dying
        time.sleep(60)
"""


def test_interruption_that_python_cannot_raise_is_not_printed_and_comes_again():
    output, seconds = _output(_IGNORES, signal.SIGINT)
    assert output == "KeyboardInterrupt  NoneType"
    assert seconds < 30


@pytest.mark.parametrize(
    ("code", "number", "end", "printed"),
    [
        ("", signal.SIGINT, 130, f"{stopping.SENTENCE}\n"),
        ("", signal.SIGTERM, 143, f"{stopping.SENTENCE}\n"),
        ("3", signal.SIGINT, 3, ""),
    ],
)
def test_end_at_signals(code, number, end, printed):
    body = f"""
import signal, time
from shortlist.process import stopping
signal.signal(signal.SIGINT, signal.SIG_DFL)
stopping.end_at_signals({code})
print("here", flush=True)
try:
    time.sleep(60)
except BaseException:
    print("caught")
"""
    with subprocess.Popen([sys.executable, "-c", body], stdout=-1, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert process.stdout.read() == printed
    assert process.returncode == end


def test_a_fault_of_the_body_is_raised_as_it_is():
    assert _output(f'{_HERE}; raise ValueError("a fault")')[0] == "ValueError  NoneType"


def test_a_body_without_a_signal_ends():
    assert _output(_HERE)[0] == ""
