"""The benchmark of the server: its bodies, and the latency of the signature alone."""

import json
import os

from benchmarks.serving import run
from server.requests import RecommendRequest, parse
from tests.server import running


def test_bodies_are_different_requests_of_the_model(tmp_path):
    (tmp_path / "shop").mkdir()
    running.push(running.write_model(tmp_path / "model", size=80), tmp_path / "shop", 1)
    bodies = run.write_bodies(tmp_path / "shop", tmp_path / "bodies", exclusions=10)
    lines = (tmp_path / "bodies").read_text().splitlines()
    assert [json.loads(line) for line in lines] == bodies
    assert len(set(lines)) == len(lines) == 10_000
    request = parse(RecommendRequest, lines[0].encode())
    assert (len(request.history), len(request.exclude), request.k) == (50, 10, 10)
    assert not {event.id for event in request.history} & set(request.exclude)
    cores = os.sched_getaffinity(0)
    found = run.measure_in_process(tmp_path / "shop", bodies, calls=20)
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert os.sched_getaffinity(0) == cores
