"""Listening TCP sockets of this process and its children, sampled while something runs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import threading
from collections.abc import Iterator

_LISTEN = "0A"
_MAPPED_IPV4 = "0000000000000000FFFF0000"
# A node of the smallest pipeline takes a second.
_SAMPLE_SECONDS = 0.02


@contextlib.contextmanager
def listening_addresses(with_children: bool = True) -> Iterator[set[str]]:
    """Yields the addresses on which this process and its children begin to listen within the body.

    An address is as in /proc/net/tcp: "0100007F:1F90" is port 8080 of 127.0.0.1. The set is complete after the body.
    Without children, servers that a test has started for itself do not count.
    """
    found: set[str] = set()
    before = listening_now(with_children)
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            found.update(listening_now(with_children) - before)

    sampler = threading.Thread(target=sample, daemon=True, name="sample-ports")
    sampler.start()
    try:
        yield found
    finally:
        found.update(listening_now(with_children) - before)
        ended.set()
        sampler.join()


def listening_now(with_children: bool = True) -> set[str]:
    """Returns the addresses on which this process and its children listen."""
    children = _children(os.getpid()) if with_children else ()
    sockets = set().union(*map(_sockets, [os.getpid(), *children]))
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in sockets:
                listening.add(fields[1].removeprefix(_MAPPED_IPV4))
    return listening


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _children(child)


def _sockets(pid: int) -> set[str]:
    links = set()
    # A process or a file may end between the listing and the reading.
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                links.add(os.readlink(entry.path))
    return {link for link in links if link.startswith("socket:")}
