"""A client that sends requests at a rate, whatever the server does: closed-loop clients slow down with the server.

Requests leave at random moments (a Poisson process), each on a free connection. A latency counts from the moment at
which the request was due, so a client that falls behind does not hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pathlib
import random
import time
from collections.abc import Sequence
from typing import cast

import uvloop

_MAX_CONNECTIONS = 1_024
_HEAD = "POST /v1/recommend HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"
_LAST_SECONDS = 10.0


class Connection(asyncio.Protocol):
    """A connection with at most one request under way."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answer = b""
        self._due = 0.0
        self._is_busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the transport."""
        # uvloop's is no subclass.
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, due: float) -> None:
        """Sends a request that was due at a time."""
        assert self.transport is not None
        self._due, self._is_busy = due, True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Takes a part of an answer."""
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        status = int(head[9:12])
        self._answer, self._is_busy = b"", False
        self._client.take(status, time.perf_counter() - self._due, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts the request under way as lost."""
        if self._is_busy:
            self._client.lose()
        self._client.forget(self)


class Client:
    """Sends requests at a rate, and counts the answers."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._free: list[Connection] = []
        self._num_connections = 0
        self._under_way = 0
        self.latencies: list[float] = []
        """Seconds of the answers with status 200."""
        self.statuses: dict[str, int] = {}
        """Number of answers by status; `lost` and `unsent` for requests without one."""

    def take(self, status: int, seconds: float, connection: Connection) -> None:
        """Counts an answer."""
        self._under_way -= 1
        self._count(str(status))
        if status == 200:
            self.latencies.append(seconds)
        self._free.append(connection)

    def lose(self) -> None:
        """Counts a request whose connection ended."""
        self._under_way -= 1
        self._count("lost")

    def forget(self, connection: Connection) -> None:
        """Forgets a connection that has ended."""
        self._num_connections -= 1
        if connection in self._free:
            self._free.remove(connection)

    def _count(self, name: str) -> None:
        self.statuses[name] = self.statuses.get(name, 0) + 1

    async def run(self, rate: float, seconds: float) -> None:
        """Sends requests for a time, and waits for their answers."""
        generator = random.Random(1)  # noqa: S311  Not for secrets.
        start = due = time.perf_counter()
        number = 0
        while due < start + seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            else:
                # Answers are read here, too.
                await asyncio.sleep(0)
            await self._send(self._requests[number % len(self._requests)], due)
            number += 1
            due += generator.expovariate(rate)
        last = time.perf_counter() + _LAST_SECONDS
        while self._under_way and time.perf_counter() < last:
            await asyncio.sleep(0.01)
        if self._under_way:
            self.statuses["lost"] = self.statuses.get("lost", 0) + self._under_way

    async def _send(self, request: bytes, due: float) -> None:
        if not self._free:
            if self._num_connections >= _MAX_CONNECTIONS:
                self._count("unsent")
                return
            self._num_connections += 1
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        else:
            connection = self._free.pop()
        self._under_way += 1
        connection.send(request, due)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bodies", type=pathlib.Path, required=True, help="file with a body per line")
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    bodies = options.bodies.read_bytes().splitlines()
    client = Client(options.port, [_HEAD.format(len(body)).encode() + body for body in bodies])
    uvloop.install()
    asyncio.run(client.run(options.rate, options.seconds))
    found = sorted(client.latencies)
    print(
        json.dumps(
            {
                "rate": options.rate,
                "goodput": round(len(found) / options.seconds, 1),
                "statuses": client.statuses,
                "p50_ms": round(found[len(found) // 2] * 1e3, 2) if found else None,
                "p99_ms": round(found[len(found) * 99 // 100] * 1e3, 2) if found else None,
            }
        )
    )


if __name__ == "__main__":
    main()
