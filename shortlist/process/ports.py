"""Open TCP ports of a process, from /proc."""

from __future__ import annotations

import os
import pathlib

_LISTEN = "0A"
# The kernel writes each group of four bytes in reverse.
_LOOPBACK_6 = ("00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


def reachable_ports(pid: int) -> list[int]:
    """Returns the ports at which a process accepts connections from other machines, in ascending order.

    Args:
      pid: The process; the result is empty if it has ended.
    """
    sockets = _sockets(pid)
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            is_loopback = address.endswith("7F") if len(address) == 8 else address in _LOOPBACK_6
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in sockets and not is_loopback:
                ports.add(int(port, 16))
    return sorted(ports)


def _sockets(pid: int) -> set[str]:
    try:
        entries = list(os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return set()
    links = set()
    for entry in entries:
        try:
            links.add(os.readlink(entry.path))
        except OSError:
            continue
    return links
