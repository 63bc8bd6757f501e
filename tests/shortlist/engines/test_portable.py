"""The portable engine for real: Beam's job server in one process, a worker pool in another."""

from __future__ import annotations

import os
import pathlib
import socket
import time

import apache_beam as beam
import pytest
from apache_beam.runners.runner import PipelineState

from shortlist.config.engines import FlinkBeam
from shortlist.engines import jobs, pool, probe
from shortlist.engines.arguments import beam_args
from shortlist.engines.running import running_engine
from shortlist.errors import BadInputError
from tests import ports
from tests.shortlist.engines import beam_services

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with beam_services.portable(tmp_path_factory.mktemp("engine")) as found:
        yield found


def test_workers_like_this_process_pass(engine, tmp_path):
    status: list[str] = []
    with running_engine(engine, tmp_path, status.append, status.append):
        assert list(tmp_path.iterdir()) == []
    assert status == ["Testing the Beam workers ..."]


def test_flinks_arguments_let_this_process_do_the_work(engine, tmp_path):
    port = int(engine.job_endpoint.rpartition(":")[2])
    # The job server is a child of this process here; on a cluster it is Flink's.
    with pool.loopback_only(), ports.listening_addresses(with_children=False) as found:
        flink = FlinkBeam(job_port=port)
        probe.check_workers(flink, beam_args(flink), tmp_path)
    # Beam's own pool listens on all interfaces.
    assert {address.partition(":")[0] for address in found} == {"0100007F"}


def test_work_is_done_in_another_process(engine, tmp_path):
    with beam.Pipeline(argv=beam_args(engine)) as pipeline:
        numbers = pipeline | beam.Create(range(100)) | beam.Reshuffle()
        pids = numbers | beam.Map(_pid) | beam.Distinct()
        _ = pids | beam.io.WriteToText(str(tmp_path / "pids"), shard_name_template="")
        # Two sinks, since some engines run only one of them (Beam's DaskRunner).
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
    with pytest.raises(BadInputError) as refused, running_engine(engine, folder, lambda _: None, lambda _: None):
        pass
    return str(refused.value)


def test_folder_that_the_workers_do_not_see(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("shortlist.engines.worker_side.expectation", _elsewhere)
    assert "it cannot read /not/mounted" in _refusal(engine, tmp_path)


def _elsewhere(path: pathlib.Path, token: str, from_pool: bool):
    from shortlist.engines import worker_side

    return worker_side.Expected(worker_side.code_sha256(), worker_side.versions(), "/not/mounted", token, from_pool)


def test_workers_without_this_package(engine, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    # A module instead of a package, since an editable install would add its own files to a package.
    (older / "shortlist.py").touch()
    with beam_services.beams_own_pool(tmp_path, older) as address:
        sentence = _refusal(engine.model_copy(update={"worker_endpoint": address}), tmp_path)
    assert "expected workers that have this package, got: No module named 'shortlist.engines'; " in sentence
    assert "install it and the locked requirements into their environment" in sentence


def test_beams_own_pool_is_refused(engine, tmp_path):
    with beam_services.beams_own_pool(tmp_path, beam_services.ROOT) as address:
        sentence = _refusal(engine.model_copy(update={"worker_endpoint": address}), tmp_path)
    assert "a worker that differs: it was not started by `shortlist worker`" in sentence


def test_an_interrupted_run_cancels_its_job(engine, tmp_path):
    started = tmp_path / "started"
    with jobs.cancelled_at_end():
        pipeline = beam.Pipeline(argv=beam_args(engine))
        _ = pipeline | beam.Create([str(started)]) | beam.Map(_touch_and_sleep)
        job = pipeline.run()
        while not started.exists():
            time.sleep(0.05)
        assert job.state == PipelineState.RUNNING
    assert job.state == PipelineState.CANCELLED


def _touch_and_sleep(path: str) -> None:
    pathlib.Path(path).touch()
    time.sleep(30)


def test_dead_endpoints_are_errors_within_seconds(engine, tmp_path):
    start = time.monotonic()
    for key in ("job_endpoint", "worker_endpoint"):
        sentence = _refusal(engine.model_copy(update={key: "127.0.0.1:1"}), tmp_path)
        assert f"beam.{key}: expected a server at 127.0.0.1:1, got: Connection refused; start" in sentence
    assert time.monotonic() - start < 60


def test_endpoint_of_another_server(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("shortlist.engines.probe.SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute_engine = engine.model_copy(update={"job_endpoint": f"127.0.0.1:{mute.getsockname()[1]}"})
        start = time.monotonic()
        assert "beam: expected the engine to process a test job" in _refusal(mute_engine, tmp_path)
        assert time.monotonic() - start < 200
