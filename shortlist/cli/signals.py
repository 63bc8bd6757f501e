"""Stops a command within seconds when it is asked to: by Ctrl-C, or by SIGTERM, which Kubernetes sends."""

from __future__ import annotations

import os
import signal
import threading
import types
from typing import NoReturn

from shortlist.errors import ExitCode

SENTENCE = "Interrupted: the same command goes on from what was finished."
# For the summary and for what is being written; Kubernetes kills after 30.
GRACE_SECONDS = 10.0


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
        code = ExitCode.TERMINATED if number == signal.SIGTERM else ExitCode.INTERRUPTED
        timer = threading.Timer(GRACE_SECONDS, end, [code])
        timer.daemon = True
        timer.start()
        if number == signal.SIGTERM:
            raise SystemExit(int(code))
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    # A shell ignores it for what it starts in the background.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
