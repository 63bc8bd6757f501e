"""A local image registry: the part of the OCI distribution API that gives digests, with anonymous tokens."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator

TOKEN = "anonymous-token"
INDEX = b'{"manifests": ["for each platform"]}'
ONE_PLATFORM = b'{"layers": []}'


def digest_of(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


class Registry(http.server.ThreadingHTTPServer):
    """Has the tag 1.0 of every image in `names`."""

    daemon_threads = True

    def __init__(self, names: list[str]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names = names
        self.requests: list[str] = []
        self.needs_token = True
        self.sends_digest = True
        self.digest = ""
        """The digest to send; that of the manifest by default."""
        self.realm = f"http://{self.host}/token"
        self.challenge = 'Bearer realm="{realm}",service="here",scope="repository:{name}:pull"'

    @property
    def host(self) -> str:
        return f"localhost:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/token":
            asked = urllib.parse.parse_qs(url.query)
            is_right = asked["service"] == ["here"] and asked["scope"][0].startswith("repository:")
            self._send(200 if is_right else 400, {}, json.dumps({"token": TOKEN}).encode())
            return
        name, _, tag = url.path.removeprefix("/v2/").partition("/manifests/")
        if self.server.needs_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = self.server.challenge.format(realm=self.server.realm, name=name)
            self._send(401, {"WWW-Authenticate": challenge}, b"")
            return
        if name not in self.server.names or tag != "1.0":
            self._send(404, {}, b"")
            return
        # Registries give one platform's manifest to clients that do not accept the list.
        accepts = self.headers.get("Accept", "")
        manifest = INDEX if "image.index" in accepts and "manifest.list" in accepts else ONE_PLATFORM
        digest = (
            {"Docker-Content-Digest": self.server.digest or digest_of(manifest)} if self.server.sends_digest else {}
        )
        self._send(200, digest, manifest)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(*names: str) -> Iterator[Registry]:
    """Serves a registry within its body."""
    with Registry(list(names)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
