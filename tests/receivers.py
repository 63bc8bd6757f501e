"""A local HTTP server that records its requests, and answers as a test says."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from typing import NamedTuple


class Received(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver(http.server.ThreadingHTTPServer):
    """The server. It answers with the statuses in `answers`, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Received] = []
        self.answers = [204]
        self.location = ""
        # A request waits for it before the answer.
        self.released = threading.Event()
        self.released.set()

    @property
    def url(self) -> str:
        """The address, with a path that is a secret."""
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/s3cr3t-path"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(body)

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        server = self.server
        server.requests.append(Received(self.command, self.path, dict(self.headers.items()), body))
        status = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        server.released.wait(60)
        self.send_response(status)
        if server.location:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Runs a server for the time of the body."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()
