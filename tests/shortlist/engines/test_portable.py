"""The portable engine for real: Beam's job server in one process, a worker pool in another."""

from __future__ import annotations

import os
import pathlib
import socket
import time

import pytest

from shortlist.config.engines import FlinkBeam
from shortlist.engines import probe
from shortlist.engines.arguments import beam_args
from shortlist.engines.running import at_hand
from shortlist.errors import BadInputError
from tests.shortlist.engines import beam_services

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with beam_services.portable(tmp_path_factory.mktemp("engine")) as found:
        yield found


def test_workers_that_are_like_this_process(engine, tmp_path):
    told: list[str] = []
    with at_hand(engine, tmp_path, told.append):
        assert list(tmp_path.iterdir()) == []
    assert told == ["Asking the Beam workers whether they can do the work ..."]


def test_flinks_arguments_have_the_work_done_in_this_process(engine, tmp_path):
    port = int(engine.job_endpoint.rpartition(":")[2])
    probe.ask(beam_args(FlinkBeam(job_server_jar="of a job server that is at work", job_port=port)), tmp_path)


def test_work_is_done_in_another_process(engine, tmp_path):
    import apache_beam as beam

    with beam.Pipeline(argv=beam_args(engine)) as pipeline:
        numbers = pipeline | beam.Create(range(100)) | beam.Reshuffle()
        pids = numbers | beam.Map(_pid) | beam.Distinct()
        _ = pids | beam.io.WriteToText(str(tmp_path / "pids"), shard_name_template="")
        # Two sinks: an engine that runs only one of them is of no use.
        _ = (
            numbers
            | beam.CombineGlobally(sum)
            | "Sum" >> beam.io.WriteToText(str(tmp_path / "sum"), shard_name_template="")
        )
    found = {int(line) for line in (tmp_path / "pids").read_text().split()}
    assert found
    assert os.getpid() not in found
    assert (tmp_path / "sum").read_text() == "4950\n"


def _pid(_: int) -> int:
    return os.getpid()


def _refusal(engine, folder: pathlib.Path) -> str:
    with pytest.raises(BadInputError) as refused, at_hand(engine, folder, lambda _: None):
        pass
    return str(refused.value)


def test_folder_that_the_workers_do_not_see(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("shortlist.engines.worker_side.expected", _elsewhere)
    assert "it cannot read /not/mounted" in _refusal(engine, tmp_path)


def _elsewhere(path: pathlib.Path, token: str):
    from shortlist.engines import worker_side

    return worker_side.Expected(worker_side.code_sha256(), worker_side.versions(), "/not/mounted", token)


def test_workers_without_this_package(engine, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    # No package: what an editable install adds to one would be found.
    (older / "shortlist.py").touch()
    with beam_services.beams_own_pool(tmp_path, older) as address:
        told = _refusal(engine.model_copy(update={"worker_endpoint": address}), tmp_path)
    assert "expected workers that have this package, got: No module named 'shortlist.engines'; " in told
    assert "install it and the locked stack into their environment" in told


def test_dead_endpoints_are_told_in_seconds(engine, tmp_path):
    start = time.monotonic()
    for key in ("job_endpoint", "worker_endpoint"):
        told = _refusal(engine.model_copy(update={key: "127.0.0.1:1"}), tmp_path)
        assert f"beam.{key}: expected a server at 127.0.0.1:1, got: Connection refused; start" in told
    assert time.monotonic() - start < 60


def test_somebody_who_is_no_job_server(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("shortlist.engines.probe.SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute_engine = engine.model_copy(update={"job_endpoint": f"127.0.0.1:{mute.getsockname()[1]}"})
        start = time.monotonic()
        assert "beam: expected the engine to do one element of work" in _refusal(mute_engine, tmp_path)
        assert time.monotonic() - start < 200
