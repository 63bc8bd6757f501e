"""Flink's REST interface of a real cluster with two TaskManagers: `make test-cluster`."""

from __future__ import annotations

import os
import pathlib
import socket

import pytest

from shortlist.errors import BadInputError, ConfigError
from tests.shortlist.engines import flink_cluster

_HOME = os.environ.get("SHORTLIST_FLINK_HOME", "")

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not _HOME, reason="brings 230 MB of Flink and starts three Java processes: `make test-cluster`"),
]


def test_slots_buffers_and_jobs_of_a_cluster(tmp_path):
    home = pathlib.Path(_HOME).absolute()
    with (
        socket.create_server(("127.0.0.1", 0)) as lines,
        flink_cluster.session_cluster(home, tmp_path) as cluster,
    ):
        slots = 2 * flink_cluster.SLOTS
        cluster.check(slots)
        assert cluster.network_buffers() == 2 * flink_cluster.BUFFERS
        with pytest.raises(ConfigError, match=f"beam.parallelism: expected at most {slots}, .* got {slots + 1}"):
            cluster.check(slots + 1)
        for name in ("beamapp-mine", "beamapp-anothers"):
            flink_cluster.submit_endless_job(home, cluster, tmp_path, name, lines.getsockname()[1])
        with pytest.raises(BadInputError, match=r"got 2 of 4, occupied by beamapp-mine \(running, .* beamapp-anothers"):
            cluster.check(slots)
        assert cluster.cancel({"beamapp-mine"}, seconds=60) == []
        assert [job.name for job in cluster.jobs()] == ["beamapp-anothers"]
