"""Clients that send what no client should: the server answers with 4xx or 503, and goes on."""

from __future__ import annotations

import contextlib
import pathlib
import re
import socket

import hypothesis
import hypothesis.strategies as st
import pytest

from shortlist.config.serve import Serve
from tests.server import running

_HEAD = b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "shop"
    folder.mkdir()
    running.push(model_folder, folder, 1)
    settings = Serve.model_validate({"limits": {"max_body_bytes": 100_000, "max_concurrent": 2, "body_seconds": 5}})
    with running.running(folder, settings) as found:
        yield found


def exchange(port, *parts, half_close=False):
    """Returns what a server sends until it closes or pauses."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, contextlib.suppress(OSError):
        for part in parts:
            connection.sendall(part)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2)
        while chunk := connection.recv(65_536):
            answer += chunk
            if b"}" in chunk:
                break
    return answer


def status(answer):
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    return int(found[1]) if found else None


PIECES = {
    "10 MB of headers": [_HEAD + b"x-filler: " + b"a" * 10_000_000 + b"\r\n\r\n"],
    "10 MB of names of headers": [_HEAD + b"".join(b"x-%d: 1\r\n" % number for number in range(800_000)) + b"\r\n"],
    "a body that never ends": [_HEAD + b"content-length: 50000\r\n\r\n", b"{"],
    "not HTTP": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20],
    "an unknown method": [b"BREW /v1/recommend HTTP/1.1\r\nhost: x\r\n\r\n"],
    "two lengths": [_HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}}"],
    "length and chunks": [_HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"],
    "a negative length": [_HEAD + b"content-length: -2\r\n\r\n{}"],
    "an endless length": [_HEAD + b"content-length: 99999999999999999999999\r\n\r\n{}"],
    "a long body": [_HEAD + b"content-length: 100001\r\n\r\n", b" " * 100_001],
    "a long body in chunks": [_HEAD + b"transfer-encoding: chunked\r\n\r\n", b"2000\r\n" + b" " * 8192 + b"\r\n"] * 1
    + [b"2000\r\n" + b" " * 8192 + b"\r\n"] * 20,
    "a chunk without a size": [_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"],
    "invalid UTF-8": [_HEAD + b"content-length: 14\r\n\r\n" + b'{"query":"\xff\xfe"}'],
    "a NUL in the path": [b"GET /v1/candidates?search=%00%ff HTTP/1.1\r\nhost: x\r\n\r\n"],
    "a path upwards": [b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n"],
    "a deep document": [_HEAD + b"content-length: 50000\r\n\r\n" + b"[" * 50_000],
    "a large number": [_HEAD + b"content-length: 4006\r\n\r\n" + b'{"k":' + b"9" * 4000 + b"}"],
    "an upgrade": [b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"],
    "HTTP 2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
}


@pytest.mark.parametrize("parts", PIECES.values(), ids=list(PIECES))
@pytest.mark.parametrize("half_close", [False, True])
def test_it_is_refused_and_the_server_goes_on(server, parts, half_close):
    found = status(exchange(server.port, *parts, half_close=half_close))
    assert found is None or found < 500 or found == 503
    assert server.client().post("/v1/recommend", {})[0] == 200


def test_a_client_that_leaves_within_its_body_costs_nothing(server):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(_HEAD + b"content-length: 50000\r\n\r\n{")
    client = server.client()
    for _ in range(100):
        if client.post("/v1/recommend", {})[0] == 200:
            break
    assert client.post("/v1/recommend", {})[0] == 200


def test_overload_is_503_with_a_time_to_wait(server):
    with contextlib.ExitStack() as stack:
        # Two requests whose body does not come take all places.
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(_HEAD + b"content-length: 2\r\n\r\n")
        client = server.client()
        found, headers = 200, {}
        for _ in range(200):
            found, headers, _ = client.raw("POST", "/v1/recommend", b"{}")
            if found == 503:
                break
        assert (found, headers.get("retry-after")) == (503, "1")
        assert server.metric("shortlist_requests_in_flight") == 2
        assert client.get("/readyz")[0] == 200
    assert server.metric("shortlist_refused_requests_total", status="503") >= 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["query", "history", "at", "context", "k", "exclude", "allow", "filter", "diversity", "boost", "promote"]
)


@hypothesis.given(st.dictionaries(names, json_values, max_size=4) | json_values)
@hypothesis.settings(max_examples=200)
def test_any_json_is_answered_or_refused(server, body):
    found, answer = server.client().post("/v1/recommend", body)
    assert found in (200, 400)
    assert ("items" in answer) != ("error" in answer)


def resident_mb():
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def test_memory_does_not_grow(server):
    body = _HEAD + b"content-length: 90000\r\n\r\n" + b'{"exclude": ["' + b"x" * 89_000

    def attack(rounds):
        for _ in range(rounds):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(body)
            exchange(server.port, b"GET /healthz HTTP/1.1\r\n" + b"x-filler: " + b"a" * 200_000 + b"\r\n")

    attack(20)
    before = resident_mb()
    attack(100)
    # 100 bodies and headers that stayed would be 29 MB.
    assert resident_mb() - before < 10
