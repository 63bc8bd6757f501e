"""Checks between the processes of a training before TensorFlow connects them.

Each worker waits at its own address of the cluster. The chief sends the job to all of them, and compares their code
and data with its own. Then both sides free the addresses for TensorFlow's servers. An address that cannot be reached is
therefore one sentence within a bound, not a hang, and so is a worker with another version or other files.

A line of JSON per message: the chief's job, the worker's greeting, its fingerprints, the chief's decision. A chief that
only asks, before its run, sends no job. The worker's fingerprints then leave out the data, and end the conversation.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from components.trainer.cluster import Cluster, is_loopback
from shortlist.errors import BadInputError, ConfigError, DataError

Fingerprints = Mapping[str, str]
"""Fingerprint by what it is of: `version`, `code`, `data`."""

_PROTOCOL = "shortlist-training-2"
_RETRY_SECONDS = 0.2
_GREETING_SECONDS = 5.0
# A worker may read its data from a slower disk than the chief.
_SLOWER = 10.0
_MAX_LINE = 16 * 2**20
_REMEDIES = {
    "version": "install the same packages on all machines",
    "code": "install the same version of Shortlist on all machines",
    "data": "give all machines the same files under the same paths, such as a shared volume",
}


def probe(cluster: Cluster, own: Fingerprints, seconds: float) -> None:
    """Returns once all workers have answered with the chief's packages and code. They go on waiting for a job.

    Args:
      cluster: The cluster, as the chief sees it.
      own: The chief's fingerprints, without `data`.
      seconds: How long a worker may take to answer at its address.

    Raises:
      ConfigError: A worker does not answer, or has other packages or other code.
    """
    deadline = time.monotonic() + seconds
    for index in range(1, len(cluster.addresses)):
        connection = _connect(cluster, index, {}, deadline, seconds)
        try:
            problem = _difference(cluster, index, connection, own, seconds)
        finally:
            connection.close()
        if problem:
            raise problem


def lead(cluster: Cluster, job: Mapping[str, Any], own: Callable[[], Fingerprints], seconds: float) -> None:
    """Sends the job to all workers and returns once all of them have the chief's code and data.

    Args:
      cluster: The cluster, as the chief sees it.
      job: JSON that the workers need.
      own: Computes the chief's fingerprints, while the workers compute theirs.
      seconds: How long a worker may take to answer at its address.

    Raises:
      ConfigError: A worker does not answer, or has other packages or other code.
      DataError: A worker has other data, or cannot read it.
    """
    deadline = time.monotonic() + seconds
    workers = range(1, len(cluster.addresses))
    connections = {index: _connect(cluster, index, {"job": job}, deadline, seconds) for index in workers}
    try:
        began = time.monotonic()
        expected = own()
        patience = seconds + _SLOWER * (time.monotonic() - began)
        problem: BadInputError | None = None
        for index, connection in connections.items():
            problem = problem or _difference(cluster, index, connection, expected, patience)
        for connection in connections.values():
            connection.send({"refused": str(problem)} if problem else {"go": True})
        if problem:
            raise problem
    finally:
        for connection in connections.values():
            connection.close()


def join(
    cluster: Cluster, code: Callable[[], Fingerprints], own: Callable[[Mapping[str, Any]], Fingerprints]
) -> dict[str, Any]:
    """Waits at this worker's address for the chief, and returns the job once the chief agrees.

    Args:
      cluster: The cluster, as this worker sees it.
      code: Computes this worker's fingerprints without `data`.
      own: Computes all of them for a job.

    Raises:
      ConfigError: The address does not belong to this machine or is in use, or the chief refuses the training.
    """
    host, port = cluster.address(cluster.number)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host if is_loopback(host) else "", port))
        except OSError as error:
            raise ConfigError.from_reason("TF_CONFIG", f"a free port {port} on this machine", error.strerror) from None
        listener.listen()
        while True:
            accepted, _ = listener.accept()
            connection = _Connection(accepted, None)
            try:
                # Whoever else comes by, such as a probe of Kubernetes, is let go.
                accepted.settimeout(_SLOWER)
                greeting = connection.receive()
                if greeting is None or greeting.get("protocol") != _PROTOCOL:
                    continue
                accepted.settimeout(None)
                connection.send({"protocol": _PROTOCOL})
                if "job" not in greeting:
                    connection.send({"fingerprints": dict(code())})
                    continue
                job = dict(greeting["job"])
                try:
                    connection.send({"fingerprints": dict(own(job))})
                except BadInputError as error:
                    connection.send({"problem": str(error)})
                decision = connection.receive()
                if decision is not None and decision.get("go"):
                    return job
                if decision is not None and "refused" in decision:
                    raise ConfigError(str(decision["refused"]))
            except OSError:
                continue
            finally:
                connection.close()


class _Connection:
    """Lines of JSON over a socket."""

    def __init__(self, one: socket.socket, seconds: float | None) -> None:
        one.settimeout(seconds)
        # A machine that vanishes sends nothing; the kernel notices after two minutes.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        self.socket = one
        self._file = one.makefile("rb")

    def send(self, message: Mapping[str, Any]) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """Returns a message; None if the other side has ended or speaks another protocol."""
        line = self._file.readline(_MAX_LINE)
        try:
            message = json.loads(line)
        except ValueError:
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        self._file.close()
        self.socket.close()


def _connect(cluster: Cluster, index: int, message: Mapping[str, Any], deadline: float, seconds: float) -> _Connection:
    """Returns a connection to a worker that got the message."""
    while True:
        left = min(max(deadline - time.monotonic(), _RETRY_SECONDS), _GREETING_SECONDS)
        try:
            connection = _Connection(socket.create_connection(cluster.address(index), timeout=left), left)
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            try:
                connection.send({"protocol": _PROTOCOL, **message})
                greeting = connection.receive()
            except OSError:
                greeting = None
            if greeting is not None and greeting.get("protocol") == _PROTOCOL:
                return connection
            # The server of a training that has not ended yet, for example.
            connection.close()
            reason = "another program answers there"
        if time.monotonic() > deadline:
            raise ConfigError.from_reason(
                f"worker {index}",
                f"an answer at {cluster.addresses[index]} within {seconds:g} s",
                reason,
                "start `shortlist train-worker` there, or raise train.worker_timeout_seconds",
            )
        time.sleep(_RETRY_SECONDS)


def _difference(
    cluster: Cluster, index: int, connection: _Connection, expected: Fingerprints, seconds: float
) -> BadInputError | None:
    """Returns the error of a worker that differs from the chief; None if it does not."""
    where = f"worker {index} at {cluster.addresses[index]}"
    connection.socket.settimeout(seconds)
    try:
        answer = connection.receive() or {}
    except OSError:
        answer = {}
    if "problem" in answer:
        return DataError(f"{where}: {answer['problem']}")
    found = answer.get("fingerprints")
    if not isinstance(found, dict):
        return ConfigError.from_parts(where, "a worker's fingerprints", "no answer", "see its log")
    for name, value in expected.items():
        if found.get(name) != value:
            kind = DataError if name == "data" else ConfigError
            return kind.from_parts(
                where, f"the chief's {name}, {value[:16]}", str(found.get(name))[:16], _REMEDIES[name]
            )
    return None
