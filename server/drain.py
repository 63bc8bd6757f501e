"""The end of a server: after SIGTERM it says that it is not ready, and answers for a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

_LOGGER = logging.getLogger("shortlist.server")


class Drain:
    """The time between the request to stop and the stop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_draining = False


class DrainedServer(uvicorn.Server):
    """A server that answers for a while after SIGTERM, so that a load balancer notices before it is gone."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles the signals while the server runs."""
        # uvicorn's own raises the signals again after its end, and the process would end with them.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts the drain at SIGTERM; ends at once at SIGINT and at a second signal."""
        if self._drain.is_draining or sig == signal.SIGINT or not self._drain.seconds:
            self._drain.is_draining = True
            self.should_exit = True
            return
        self._drain.is_draining = True
        _LOGGER.info("Draining for %g s", self._drain.seconds)
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(lambda: loop.call_later(self._drain.seconds, self._exit))

    def _exit(self) -> None:
        self.should_exit = True
