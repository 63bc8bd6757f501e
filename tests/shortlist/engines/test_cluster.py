"""Flink's REST interface, as a small server answers it. `make test-cluster` asks a real cluster the same."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from shortlist.config.engines import FlinkBeam
from shortlist.engines import buffers, failures
from shortlist.engines.cluster import Cluster
from shortlist.errors import BadInputError, ConfigError


class _Server(http.server.ThreadingHTTPServer):
    state: dict


class _Flink(http.server.BaseHTTPRequestHandler):
    """A cluster of two TaskManagers with two slots each, and the jobs and free slots of `state`."""

    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        answers = {
            "/overview": {"flink-version": state["version"], "slots-total": 4, "slots-available": state["free"]},
            "/jobs/overview": {"jobs": state["jobs"]},
            "/taskmanagers": {"taskmanagers": [{"id": "a", "slotsNumber": 2}, {"id": "b", "slotsNumber": 2}]},
            "/taskmanagers/a": {"metrics": {"nettyShuffleMemorySegmentsTotal": 4096}},
            "/taskmanagers/b": {"metrics": {"nettyShuffleMemorySegmentsTotal": 1000}},
        }
        self._answer(200, json.dumps(answers[self.path]))

    def do_PATCH(self) -> None:
        for job in self.server.state["jobs"]:
            if self.path == f"/jobs/{job['jid']}?mode=cancel" and job["name"] != "stubborn":
                job["state"] = "CANCELED"
        self._answer(202, "{}")

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args) -> None:
        """Prints nothing."""


@pytest.fixture
def flink():
    """Yields a cluster and the state that it reports."""
    server = _Server(("127.0.0.1", 0), _Flink)
    server.state = {"version": "1.18.1", "free": 4, "jobs": []}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Cluster(f"127.0.0.1:{server.server_address[1]}"), server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _job(name: str, state: str = "RUNNING") -> dict:
    return {"jid": name, "name": name, "state": state, "duration": 90_400}


def test_free_slots_of_the_same_version_pass(flink):
    cluster, _ = flink
    cluster.check(parallelism=4)


def test_too_few_slots(flink):
    cluster, _ = flink
    with pytest.raises(ConfigError, match=r"beam.parallelism: expected at most 4, .*, got 5; lower it, or add"):
        cluster.check(parallelism=5)


def test_occupied_slots_are_explained_by_their_jobs(flink):
    cluster, state = flink
    state.update(free=1, jobs=[_job("old", "FINISHED"), _job("statistics")])
    with pytest.raises(BadInputError, match=r"expected 2 free task slots .* got 1 of 4, occupied by statistics \(run"):
        cluster.check(parallelism=2)


def test_another_version_of_flink(flink):
    cluster, state = flink
    state.update(version="1.20.0")
    with pytest.raises(ConfigError, match=r"expected a cluster of Flink 1.18, as the job server, got 1.20.0 at"):
        cluster.check(parallelism=1)


def test_only_the_named_jobs_are_cancelled(flink):
    cluster, state = flink
    state.update(jobs=[_job("mine"), _job("another's")])
    assert cluster.cancel({"mine"}, seconds=30) == []
    assert [job.name for job in cluster.jobs()] == ["another's"]


def test_a_job_that_does_not_end_is_returned_after_the_bound(flink):
    cluster, state = flink
    state.update(jobs=[_job("stubborn")])
    assert [str(job) for job in cluster.cancel({"stubborn"}, seconds=0)] == ["stubborn (running, 90 s)"]


def test_buffers_count_at_the_poorest_machine(flink):
    cluster, _ = flink
    # 1,000 buffers for 2 slots, times 4 slots
    assert cluster.network_buffers() == 2000


def test_need_for_buffers():
    # 68 * 2 * (3 * 2 + 9) = 2,040 of 32 KB are 63.75 MB
    assert buffers.required(2) == 2040
    assert [buffers.local_mb(parallelism) for parallelism in (1, 2, 8)] == [64, 64, 561]
    assert buffers.shortage(2, 2048) is None
    assert buffers.shortage(8, 0) is None
    assert "has 2,048 network buffers; parallelism 8 may need 17,952" in buffers.shortage(8, 2048)


def test_a_server_that_is_not_flink(flink, tmp_path):
    with pytest.raises(BadInputError, match="expected Flink's REST interface at 127.0.0.1:1, got: Connection refused"):
        Cluster("127.0.0.1:1").jobs()


def test_javas_sentences_get_a_remedy_and_the_log(tmp_path):
    error = RuntimeError("java.io.IOException: Insufficient number of network buffers: required 17, but only 3")
    advice = failures.remedy(FlinkBeam(), error, tmp_path)
    assert advice.startswith("lower beam.parallelism, or raise taskmanager.memory.network.min")
    assert advice.endswith(f"; the job server's log is {tmp_path}/flink.log")
    assert failures.remedy(FlinkBeam(), RuntimeError("x"), tmp_path) == f"the job server's log is {tmp_path}/flink.log"


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        # As in the classes of Flink 1.18.1.
        ("Heartbeat of TaskManager with id 10.0.0.7:41-2 timed out.", "look for a TaskManager that ended"),
        ("The heartbeat of TaskManager with id 10.0.0.7:41-2 timed out.", "look for a TaskManager that ended"),
        ("TaskManager with id 10.0.0.7:41-2 is no longer reachable.", "look for a TaskManager that ended"),
        (
            "Connection unexpectedly closed by remote task manager '10.0.0.7:41 [ a ] '. This might indicate that the "
            "remote task manager was lost.",
            "look for a TaskManager that ended",
        ),
        ("java.lang.OutOfMemoryError: Metaspace. The metaspace out-of-memory error", "jvm-metaspace.size"),
        ("java.lang.OutOfMemoryError: Java heap space. A heap space-related", "taskmanager.memory.process.size"),
        ("java.lang.OutOfMemoryError: Direct buffer memory. The direct", "framework.off-heap.size"),
        ("java.io.IOException: No space left on device", "io.tmp.dirs"),
    ],
)
def test_each_sentence_of_a_lost_or_full_machine_has_its_remedy(sentence, part, tmp_path):
    assert part in failures.remedy(FlinkBeam(), RuntimeError(sentence), tmp_path).partition("; the job server's log")[0]
