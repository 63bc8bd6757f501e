"""An HTTP server that answers as the API of Kubeflow Pipelines v2 does, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

EXPERIMENTS = "/apis/v2beta1/experiments"
RUNS = "/apis/v2beta1/runs"
RECURRING = "/apis/v2beta1/recurringruns"


class Api:
    """What the server has been sent, and how it shall answer."""

    def __init__(self) -> None:
        self.url = ""
        self.multi_user = False
        self.token: str | None = None
        self.is_login_page = False
        self.refusal: str | None = None
        self.sent: list[tuple[str, str, Any]] = []
        self.states: list[dict[str, Any]] = [{"state": "SUCCEEDED"}]
        self.breaks = 0
        """How many questions for a run go unanswered."""

    def bodies(self, path: str) -> list[Any]:
        """Returns what was posted to a path."""
        return [body for method, sent_to, body in self.sent if method == "POST" and sent_to == path]

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Returns a status and a body."""
        if path == "/apis/v2beta1/healthz":
            return 200, {"multi_user": self.multi_user}
        if (method, path) == ("GET", EXPERIMENTS):
            return 200, {}
        if (method, path) == ("POST", EXPERIMENTS):
            return 200, {"experiment_id": "e-1", **body}
        if method == "POST" and path in (RUNS, RECURRING):
            if self.refusal:
                return 400, {"error": "Invalid input error", "error_details": self.refusal}
            key = "run_id" if path == RUNS else "recurring_run_id"
            return 200, {key: "r-1", "display_name": body["display_name"]}
        if (method, path) == ("GET", f"{RUNS}/r-1"):
            return 200, {"run_id": "r-1", **(self.states.pop(0) if len(self.states) > 1 else self.states[0])}
        return 404, {"error": f"no {method} {path} {query}"}


@contextlib.contextmanager
def serving() -> Iterator[Api]:
    """Yields an API that listens on a free port of this machine."""
    api = Api()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _handle(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            api.sent.append((self.command, parts.path, body))
            if parts.path.startswith(f"{RUNS}/") and api.breaks:
                api.breaks -= 1
                self.connection.close()
                return
            if api.is_login_page:
                self._send(200, b"<html>Log in</html>", "text/html")
            elif api.token is not None and self.headers.get("Authorization") != f"Bearer {api.token}":
                self._send(401, b'{"error": "Unauthenticated: no token"}', "application/json")
            else:
                status, answer = api.answer(self.command, parts.path, urllib.parse.parse_qs(parts.query), body)
                self._send(status, json.dumps(answer).encode(), "application/json")

        do_GET = do_POST = _handle

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
