"""Handlers of SIGINT (Ctrl-C) and SIGTERM (Kubernetes) that stop a command within seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

from shortlist.errors import ExitCode
from shortlist.process import limits

SENTENCE = "Interrupted: run the same command again to continue; finished steps are kept."
# Time for the summary and for files that are being written. Kubernetes kills a pod after 30 seconds.
GRACE_SECONDS = 10.0
_AGAIN_SECONDS = 2.0
_CODES = {signal.SIGTERM: ExitCode.TERMINATED, signal.SIGINT: ExitCode.INTERRUPTED}

# Frames of Python's import system; it is frozen, so that the name is the same in every installation.
_IMPORT_FILE = "<frozen importlib._bootstrap>"

_stop_signal: signal.Signals | None = None
_writing = False


def end_at_signals(code: int | None = None) -> None:
    """Makes SIGINT and SIGTERM end the process at once, without an exception, which an import could swallow or print.

    Args:
      code: Exit code of a command that has ended. None before a command begins: the code is then the signal's, and
        `SENTENCE` is printed.
    """
    # A copy, since descriptor 2 itself may write to a log later.
    terminal = os.dup(2) if code is None else None

    def end(number: int, frame: types.FrameType | None) -> None:
        if terminal is not None:
            os.write(terminal, f"{SENTENCE}\n".encode())
        limits.ended()
        os._exit(_code(signal.Signals(number)) if code is None else code)

    _handle(end)


def install_handlers() -> None:
    """Makes SIGINT raise KeyboardInterrupt and SIGTERM raise SystemExit; ends the process if it lives on.

    The exception alone is not enough: Beam waits for its worker threads when an exception leaves it, possibly for
    minutes. The process therefore ends `GRACE_SECONDS` after the signal.

    Nothing is raised within an import, where TensorFlow's and ML Metadata's compiled modules crash on it (SIGSEGV): the
    process ends at once, or, within `reraise_stop(writing=True)`, after the import.
    """
    # A copy, since descriptor 2 itself writes to the log while nodes run.
    terminal = os.dup(2)

    def end(code: ExitCode) -> None:
        os.write(terminal, f"{SENTENCE}\n".encode())
        limits.ended()
        os._exit(code)

    def stop(number: int, frame: types.FrameType | None) -> None:
        global _stop_signal
        if _stop_signal is None:
            _stop_signal = signal.Signals(number)
            timer = threading.Timer(GRACE_SECONDS, end, [_code(_stop_signal)])
            timer.daemon = True
            timer.start()
        if _is_importing(frame):
            if not _writing:
                end(_code(_stop_signal))
            return
        raise _interruption(_stop_signal)

    sys.unraisablehook = _print_unraisable
    _handle(stop)


def _handle(handler: Callable[[int, types.FrameType | None], Any]) -> None:
    signal.signal(signal.SIGTERM, handler)
    # A shell makes its background processes ignore SIGINT; that must stay so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _print_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Prints an exception that Python cannot raise, as it does by default, except an interruption.

    One that comes during a callback of an import is such an exception; `reraise_stop` sends the signal again.
    """
    if _stop_signal is None or not isinstance(unraisable.exc_value, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(unraisable)


def _is_importing(frame: types.FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT_FILE:
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def reraise_stop(*, writing: bool = False) -> Iterator[None]:
    """Makes its body stop on a signal even if a library catches or converts the exception.

    TensorFlow does both while it traces a function. If the exception was caught, the signal is sent again every two
    seconds. If it was converted into another one, the original is raised instead.

    Args:
      writing: Whether an interruption has to be recorded, so that a signal within an import waits for its end.

    Raises:
      KeyboardInterrupt, SystemExit: The process got a signal within the body.
    """
    global _writing
    was_writing, _writing = _writing, _writing or writing
    body_ended = threading.Event()
    threading.Thread(target=_ask_again, args=[body_ended], daemon=True).start()
    try:
        yield
    except Exception as error:
        if _stop_signal is None:
            raise
        raise _interruption(_stop_signal) from error
    finally:
        body_ended.set()
        _writing = was_writing
    if _stop_signal is not None:
        raise _interruption(_stop_signal)


def _ask_again(body_ended: threading.Event) -> None:
    while not body_ended.wait(_AGAIN_SECONDS):
        if _stop_signal is not None and not body_ended.wait(_AGAIN_SECONDS):
            # pthread_kill sends a real signal. A simulated one would not wake a thread that waits.
            signal.pthread_kill(threading.main_thread().ident or 0, _stop_signal)


def _code(stop_signal: signal.Signals) -> ExitCode:
    return _CODES[stop_signal]


def _interruption(stop_signal: signal.Signals) -> BaseException:
    if stop_signal == signal.SIGTERM:
        return SystemExit(int(_code(stop_signal)))
    return KeyboardInterrupt()
