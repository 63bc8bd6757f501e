"""Flink's REST interface: slots, jobs and network buffers of a cluster."""

from __future__ import annotations

import dataclasses
import http.client
import json
import logging
import time
from collections.abc import Collection
from typing import Any

from shortlist.errors import BadInputError, ConfigError

FLINK_VERSION = "1.18"
"""The Flink version of the job server (`programs.JAR`). It submits jobs to clusters of this version only."""

_SECONDS = 10.0
_END_STATES = {"FINISHED", "CANCELED", "FAILED"}
_POLL_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class Job:
    """A job of a cluster that has not ended."""

    id: str
    name: str
    state: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.name} ({self.state.lower()}, {self.seconds:.0f} s)"


class Cluster:
    """A Flink cluster.

    Args:
      master: HOST:PORT of the REST interface.

    Attributes:
      port: The port of it.
    """

    def __init__(self, master: str) -> None:
        self._master = master
        host, _, port = master.rpartition(":")
        self._host, self.port = host.strip("[]"), int(port)

    def check(self, parallelism: int) -> None:
        """Raises an error if the cluster has another version than the job server, or too few free task slots.

        Raises:
          ConfigError: The version or the number of slots does not fit.
          BadInputError: Jobs occupy the slots, or the server is not Flink.
        """
        overview = self._get("/overview")
        version = str(overview.get("flink-version"))
        if not version.startswith(f"{FLINK_VERSION}."):
            raise ConfigError.from_parts(
                "beam.master", f"a cluster of Flink {FLINK_VERSION}, as the job server", f"{version} at {self._master}"
            )
        total, free = int(overview["slots-total"]), int(overview["slots-available"])
        if total < parallelism:
            raise ConfigError.from_parts(
                "beam.parallelism",
                f"at most {total}, the number of task slots of the cluster at {self._master}",
                parallelism,
                "lower it, or add TaskManagers or slots",
            )
        if free < parallelism:
            jobs = ", ".join(map(str, self.jobs())) or "no job; TaskManagers may still be starting"
            raise BadInputError.from_parts(
                "beam.master",
                f"{parallelism} free task slots at {self._master}",
                f"{free} of {total}, occupied by {jobs}",
                "wait for these jobs, cancel them in Flink's web interface, or lower beam.parallelism",
            )

    def jobs(self) -> list[Job]:
        """Returns the jobs that have not ended, the oldest first."""
        found = [
            Job(str(job["jid"]), str(job["name"]), str(job["state"]), int(job["duration"]) / 1000)
            for job in self._get("/jobs/overview")["jobs"]
            if job["state"] not in _END_STATES
        ]
        return sorted(found, key=lambda job: -job.seconds)

    def network_buffers(self) -> int:
        """Returns the number of network buffers of the TaskManager that has the fewest per task slot, times all slots.

        Flink does not move buffers between TaskManagers.
        """
        managers = self._get("/taskmanagers")["taskmanagers"]
        per_slot = []
        for manager in managers:
            metrics = self._get(f"/taskmanagers/{manager['id']}").get("metrics", {})
            total = metrics.get("nettyShuffleMemorySegmentsTotal", 0)
            # 0 until the first heartbeat with metrics.
            if total and manager["slotsNumber"]:
                per_slot.append(int(total) / int(manager["slotsNumber"]))
        slots = sum(int(manager["slotsNumber"]) for manager in managers)
        return int(min(per_slot, default=0) * slots)

    def cancel(self, names: Collection[str], seconds: float) -> list[Job]:
        """Cancels the jobs that have these names, and waits until they have ended.

        Args:
          names: Names of jobs.
          seconds: Limit of the wait.

        Returns:
          The jobs that had not ended by then.

        Raises:
          BadInputError: The cluster does not answer.
        """
        deadline = time.monotonic() + seconds
        asked: set[str] = set()
        while left := [job for job in self.jobs() if job.name in names]:
            for job in left:
                if job.id not in asked:
                    asked.add(job.id)
                    logging.getLogger(__name__).info("cancelling the Flink job %s", job)
                    self._request("PATCH", f"/jobs/{job.id}?mode=cancel")
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        return left

    def _get(self, path: str) -> Any:
        body = self._request("GET", path)
        try:
            return json.loads(body)
        except ValueError:
            raise self._no_flink("another answer") from None

    def _request(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(self._host, self.port, timeout=_SECONDS)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_flink(getattr(error, "strerror", None) or type(error).__name__) from None
        finally:
            connection.close()
        # 404: a job that ended between the listing and the request.
        if response.status >= 400 and not (method == "PATCH" and response.status in (404, 409)):
            raise self._no_flink(f"status {response.status}")
        return body

    def _no_flink(self, reason: str) -> BadInputError:
        return BadInputError.from_reason(
            "beam.master",
            f"Flink's REST interface at {self._master}",
            reason,
            "correct the address; Flink's configuration calls it rest.port",
        )
