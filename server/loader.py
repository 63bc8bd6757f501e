"""The loader: a process that has TensorFlow in memory and forks a process per version.

A fork shares the loader's memory and is ready at once, where a new process would import for seconds. The loader calls
nothing of TensorFlow itself: its threads would be missing in the forks.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn

MAX_CONNECTIONS = 16
"""Sockets that a process of a version may have."""
PID_BYTES = 8
"""Length of the reply, the process' id."""


def main(descriptor: int) -> None:
    """Forks a process for each message on a socket until it ends.

    Args:
      descriptor: The socket's file descriptor.
    """
    control = socket.socket(fileno=descriptor)
    # Ctrl-C and systemd send their signals to all processes. The server drains first, and then the sockets end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    run = _import_all()
    gc.collect()
    # Never collected: the forks keep on sharing what a look of the collector would write to.
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, MAX_CONNECTIONS)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run([socket.socket(fileno=descriptor) for descriptor in descriptors])
        for descriptor in descriptors:
            os.close(descriptor)
        control.sendall(pid.to_bytes(PID_BYTES, "little"))


def _import_all() -> Callable[[Sequence[socket.socket]], NoReturn]:
    """Returns the program of a fork, after importing all that it needs."""
    # TensorFlow imports packages that warn of their own end of support.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\.")
    import tensorflow  # noqa: F401

    # A server of exact models need not have ScaNN.
    with contextlib.suppress(ImportError):
        import scann  # noqa: F401
    from server import grpc_calls, worker  # noqa: F401

    return worker.run
