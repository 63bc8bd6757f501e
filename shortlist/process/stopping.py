"""Stops a command within seconds when it is asked to: by Ctrl-C, or by SIGTERM, which Kubernetes sends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import types
from collections.abc import Iterator
from typing import NoReturn

from shortlist.errors import ExitCode

SENTENCE = "Interrupted: the same command goes on from what was finished."
# For the summary and for what is being written; Kubernetes kills after 30.
GRACE_SECONDS = 10.0
_AGAIN_SECONDS = 2.0

_asked: signal.Signals | None = None


def stop_when_asked() -> None:
    """Has SIGINT raise KeyboardInterrupt and SIGTERM SystemExit, and ends the process if that does not.

    Beam waits for its worker threads wherever an exception leaves it, and they may have minutes to go.
    """
    # A copy: while nodes run, the descriptor itself writes to the log.
    terminal = os.dup(2)

    def end(code: ExitCode) -> None:
        os.write(terminal, f"{SENTENCE}\n".encode())
        os._exit(code)

    def stop(number: int, frame: types.FrameType | None) -> NoReturn:
        global _asked
        if _asked is None:
            _asked = signal.Signals(number)
            timer = threading.Timer(GRACE_SECONDS, end, [_code(_asked)])
            timer.daemon = True
            timer.start()
        raise _interruption(_asked)

    signal.signal(signal.SIGTERM, stop)
    # A shell ignores it for what it starts in the background.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)


@contextlib.contextmanager
def reraise_stop() -> Iterator[None]:
    """Has its body end as it was asked to, though libraries catch or turn into another exception what is raised.

    TensorFlow does both where it is in the middle of tracing a function. What is caught is raised again after two
    seconds; what comes out otherwise, once asked, is raised as what was asked for.

    Raises:
      KeyboardInterrupt, SystemExit: The process was asked to stop within the body.
    """
    left = threading.Event()
    threading.Thread(target=_ask_again, args=[left], daemon=True).start()
    try:
        yield
    except Exception as error:
        if _asked is None:
            raise
        raise _interruption(_asked) from error
    finally:
        left.set()
    if _asked is not None:
        raise _interruption(_asked)


def _ask_again(left: threading.Event) -> None:
    while not left.wait(_AGAIN_SECONDS):
        if _asked is not None and not left.wait(_AGAIN_SECONDS):
            # A real signal: what only pretends to be one wakes nothing that waits.
            signal.pthread_kill(threading.main_thread().ident or 0, _asked)


def _code(asked: signal.Signals) -> ExitCode:
    return ExitCode.TERMINATED if asked == signal.SIGTERM else ExitCode.INTERRUPTED


def _interruption(asked: signal.Signals) -> BaseException:
    return SystemExit(int(_code(asked))) if asked == signal.SIGTERM else KeyboardInterrupt()
