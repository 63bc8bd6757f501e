"""The processes of the versions, as the server sees them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from server import channel
from server.facts import Facts, Load
from server.loader import PID_BYTES
from server.question import Answer, Question
from shortlist.errors import BadInputError

_CALLS = 4
# A load takes seconds; one of ten minutes hangs.
_LOAD_SECONDS = 600.0
_END_SECONDS = 5.0
# An answer takes milliseconds. Its process is ended after the second alarm: the first may only mean that all processes
# stood still, as on a machine that was suspended.
_ALARM_SECONDS = 30.0
# Not `-m`, which looks into the current folder first: it may have another package `server`.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); import server.loader as it; it.main(int(sys.argv[1]))"
)
_LOGGER = logging.getLogger("shortlist.server")


class LoadInterruptedError(BadInputError):
    """The process of a version ended or hung while it loaded. That need not be the version's fault."""


class RemoteModel:
    """A version whose model is in a process of its own. All methods can be called from several threads."""

    def __init__(
        self, facts: Facts, pid: int, connections: Sequence[socket.socket], on_end: Callable[[], None]
    ) -> None:
        """Takes a process that has loaded its version.

        Args:
          facts: What is known of the version.
          pid: Id of the process.
          connections: Its sockets; the first one takes batches of an event loop, the others calls of any thread.
          on_end: Called once if the process ends by itself.
        """
        self.facts = facts
        self.pid = pid
        self.is_gone = False
        """Whether the process has ended by itself."""
        self._batches = connections[0]
        self._batches.setblocking(False)
        self._connections = connections
        self._on_end = on_end
        self._calls: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        for connection in connections[1:]:
            self._calls.put(connection)
        self._lock = threading.Lock()
        self._num_users = 0
        self._is_retired = False

    @property
    def version(self) -> str:
        """Name of the version's folder."""
        return self.facts.version

    async def answer(self, questions: Sequence[Question]) -> list[Answer | BadInputError]:
        """Returns an answer per question. There is one such call at a time.

        Raises:
          GoneError: The process has ended, or the version takes no more requests.
        """
        with self._use(), self._watched():
            reply = await channel.exchange(self._batches, ("answer", (questions,)))
            found: list[Answer | BadInputError] = _value(reply)
            return found

    def call(self, method: str, *arguments: Any) -> Any:
        """Returns the value of a method of `server.worker.Worker`.

        Raises:
          GoneError: The process has ended, or the version takes no more requests.
          RefusedRequest: The request is wrong.
        """
        with self._use():
            connection = self._calls.get()
            try:
                channel.send(connection, (method, arguments))
                return _value(channel.receive(connection))
            finally:
                self._calls.put(connection)

    def override(self, table: object) -> None:
        """Takes today's attributes, `server.attributes.Overrides`.

        Raises:
          GoneError: The process has ended.
        """
        self.facts = self.call("override", table)

    def retire(self) -> None:
        """Ends the process once its calls are answered; further ones are refused."""
        with self._lock:
            self._is_retired = True
            is_idle = not self._num_users
        if is_idle:
            self._close()

    def close(self) -> None:
        """Ends the process now, and waits for its end."""
        with self._lock:
            self._is_retired = True
        with contextlib.suppress(OSError):
            self._batches.shutdown(socket.SHUT_WR)
            self._batches.settimeout(_END_SECONDS)
            while self._batches.recv(65_536):
                pass
        self._close()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Ends the process if the body takes far too long."""
        loop = asyncio.get_running_loop()
        alarms: list[asyncio.TimerHandle] = []

        def first() -> None:
            alarms.append(loop.call_later(_ALARM_SECONDS, second))

        def second() -> None:
            _LOGGER.error("Version %s does not answer", self.version)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

        alarms.append(loop.call_later(_ALARM_SECONDS, first))
        try:
            yield
        finally:
            for alarm in alarms:
                alarm.cancel()

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        with self._lock:
            if self._is_retired or self.is_gone:
                raise channel.GoneError("the version takes no more requests")
            self._num_users += 1
        try:
            yield
        except channel.GoneError:
            self._note_end()
            raise
        finally:
            with self._lock:
                self._num_users -= 1
                is_last = self._is_retired and not self._num_users
            if is_last:
                self._close()

    def _note_end(self) -> None:
        with self._lock:
            is_first = not self.is_gone and not self._is_retired
            self.is_gone = True
        if is_first:
            _LOGGER.error("The process of version %s has ended by itself", self.version)
            self._on_end()

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()


def _value(reply: tuple[bool, Any]) -> Any:
    succeeded, value = reply
    if not succeeded:
        raise value
    return value


class Loader:
    """Starts a process per version."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Starts the loader's own process, which imports TensorFlow meanwhile."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        # The same modules as in this process, wherever they were found.
        paths = json.dumps([path or os.getcwd() for path in sys.path])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), paths],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._control = ours

    def load(self, load: Load, on_end: Callable[[], None]) -> RemoteModel:
        """Returns a version once its process has loaded and checked it.

        Args:
          load: What to load.
          on_end: Called once if the process ends by itself later.

        Raises:
          BadInputError: The version cannot be served.
          LoadInterruptedError: Its process ends or hangs.
          RuntimeError: The loader's own process has ended.
        """
        self.start()
        with contextlib.ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(1 + _CALLS)]
            ours = [stack.enter_context(pair[0]) for pair in pairs]
            pid = self._fork([pair[1] for pair in pairs])
            try:
                ours[0].settimeout(_LOAD_SECONDS)
                channel.send(ours[0], load)
                facts: Facts = _value(channel.receive(ours[0]))
            except (channel.GoneError, TimeoutError) as error:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                what = "one that hangs" if isinstance(error, TimeoutError) else "one that ends its process"
                raise LoadInterruptedError.from_parts(
                    load.folder, "a model that loads", what, "push another version"
                ) from None
            stack.pop_all()
        return RemoteModel(facts, pid, ours, on_end)

    def _fork(self, theirs: Sequence[socket.socket]) -> int:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [b"\1"], [end.fileno() for end in theirs])
            reply = self._control.recv(PID_BYTES, socket.MSG_WAITALL)
        except OSError:
            reply = b""
        finally:
            for end in theirs:
                end.close()
        if len(reply) < PID_BYTES:
            raise RuntimeError("the process that loads versions has ended; its messages are above")
        return int.from_bytes(reply, "little")

    def close(self) -> None:
        """Ends the loader's own process; those of the versions go on."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                # It still imports.
                self._process.kill()
                self._process.wait()
        self._process = self._control = None
