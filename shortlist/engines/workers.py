"""The processes of a worker pool, by the id that an engine gives them."""

from __future__ import annotations

import collections
import logging
import subprocess
import threading
import time
from collections.abc import Sequence

from shortlist.process import ending

_POLL_SECONDS = 0.05
# As in Beam's pool.
_END_SECONDS = 10.0


class WorkerProcesses:
    """Worker processes. Several engines may use the same worker id.

    Each TaskManager of a Flink cluster numbers its workers from "1-1", and its request to stop one names nothing but
    that id. Beam's pool has one process per id, so that the first TaskManager to finish ends the worker of another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: collections.defaultdict[str, list[subprocess.Popen[bytes]]] = collections.defaultdict(list)

    def start(self, worker_id: str, command: Sequence[str]) -> None:
        """Starts a process whose output goes to the terminal of this one.

        Raises:
          OSError: The command cannot be started.
        """
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        with self._lock:
            self._by_id[worker_id].append(process)
            # Python's job server never asks to stop a worker. `poll` collects those that have ended.
            for earlier in self._by_id.values():
                for worker in earlier:
                    worker.poll()

    def stop(self, worker_id: str, seconds: float = _END_SECONDS) -> None:
        """Waits until one process of an id has ended, and ends it only if no other engine can have started it.

        Beam's engines close the connection to a worker before they ask to stop it, and a worker without a connection
        ends by itself. The process that ends is therefore the one that is meant.

        Args:
          worker_id: The id; nothing happens if no process has it.
          seconds: How long a process may take to end by itself.
        """
        deadline = time.monotonic() + seconds
        while not self._forget_ended(worker_id):
            with self._lock:
                processes = self._by_id.get(worker_id, [])
                if not processes:
                    return
                if time.monotonic() > deadline:
                    last = processes.pop() if len(processes) == 1 else None
                    break
            time.sleep(_POLL_SECONDS)
        else:
            return
        if last is not None:
            ending.end_all([last], _END_SECONDS)
            return
        logging.getLogger(__name__).warning(
            "several workers have the id %s and none ended within %g s; all continue", worker_id, seconds
        )

    def stop_all(self) -> None:
        """Ends all processes."""
        with self._lock:
            processes = [process for processes in self._by_id.values() for process in processes]
            self._by_id.clear()
        ending.end_all(processes, _END_SECONDS)

    def _forget_ended(self, worker_id: str) -> bool:
        """Removes one process that has ended; returns whether there was one."""
        with self._lock:
            processes = self._by_id.get(worker_id, [])
            for process in processes:
                if process.poll() is not None:
                    processes.remove(process)
                    return True
        return False
