"""Addresses of the processes that train together, and the value of TF_CONFIG that names them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from typing import Any, NamedTuple

from shortlist.errors import ConfigError

VARIABLE = "TF_CONFIG"
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+:\d{1,5}")
_EXAMPLE = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
_TASKS = ("chief", "worker")
_LOOPBACK = "127.0.0.1"


class Cluster(NamedTuple):
    """The processes of a training, as one of them sees them."""

    addresses: tuple[str, ...]
    """host:port of each process, the chief's first."""
    number: int
    """This process' place among the addresses; 0 is the chief."""

    def tf_config(self) -> str:
        """Returns the value of TF_CONFIG, in which all processes have the type `worker`."""
        return json.dumps(
            {"cluster": {"worker": list(self.addresses)}, "task": {"type": "worker", "index": self.number}}
        )

    def address(self, number: int) -> tuple[str, int]:
        """Returns host and port of a process."""
        host, _, port = self.addresses[number].rpartition(":")
        return host, int(port)


def loopback(workers: int) -> Cluster:
    """Returns a cluster of processes on this machine, at ports that are free now; as the chief sees it."""
    with contextlib.ExitStack() as stack:
        # All are open at a time, so that no port comes twice.
        sockets = [stack.enter_context(socket.socket()) for _ in range(workers)]
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return Cluster(tuple(f"{_LOOPBACK}:{one.getsockname()[1]}" for one in sockets), 0)


def is_loopback(host: str) -> bool:
    """Returns whether a host of a cluster is this machine by its loopback address."""
    return host == "localhost" or host.startswith("127.")


def from_environment(workers: int | None = None) -> Cluster | None:
    """Returns the cluster of the variable TF_CONFIG; None if it is not set.

    Args:
      workers: `train.workers`, which the cluster's size must equal. Any size by default.

    Raises:
      ConfigError: The value is not a cluster of workers, or has another size.
    """
    text = os.environ.get(VARIABLE, "")
    return parse(text, workers) if text.strip() else None


def parse(text: str, workers: int | None = None) -> Cluster:
    """Returns the cluster of a value of TF_CONFIG, see `from_environment`."""
    value = _json(text)
    by_type, task = value.get("cluster"), value.get("task")
    if not isinstance(by_type, dict) or not isinstance(task, dict):
        raise _error("the keys cluster and task", sorted(value))
    unknown = sorted(set(by_type) - set(_TASKS))
    if unknown:
        raise _error("tasks of type chief and worker alone", f"type {unknown[0]}", "remove it from the cluster")
    addresses: list[str] = []
    first: dict[str, int] = {}
    for kind in _TASKS:
        listed = by_type.get(kind, [])
        if not isinstance(listed, list) or not all(isinstance(one, str) and _is_address(one) for one in listed):
            raise _error(f"a list of host:port for cluster.{kind}", json.dumps(listed))
        first[kind] = len(addresses)
        addresses += listed
    if len(set(addresses)) != len(addresses):
        raise _error("each address once", ", ".join(addresses))
    kind, index = str(task.get("type")), task.get("index")
    number = len(by_type.get(kind, [])) if kind in _TASKS else 0
    # bool is an int.
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < number:
        raise _error("a task of the cluster", f"type {kind}, index {index}")
    if len(addresses) < 2:
        raise _error("two processes or more", f"{len(addresses)}", "or unset it, and processes start on this machine")
    if workers is not None and len(addresses) != workers:
        raise _error(f"{workers} processes, as in train.workers", str(len(addresses)), "change one of them")
    return Cluster(tuple(addresses), first[kind] + index)


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError.from_reason(VARIABLE, "JSON", error, f"such as {_EXAMPLE}") from None
    if not isinstance(value, dict):
        raise _error("a JSON object", type(value).__name__)
    return value


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text)) and 0 < int(text.rpartition(":")[2]) < 2**16


def _error(expected: str, got: object, remedy: str = "") -> ConfigError:
    return ConfigError.from_parts(VARIABLE, expected, got, remedy or f"an example is {_EXAMPLE}")
