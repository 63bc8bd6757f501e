"""The pool that Beam starts in the run's process listens on loopback only."""

from __future__ import annotations

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer as Servicer

from shortlist.engines import pool
from tests import ports

# As Beam's portable runner calls it.
OPTIONS = {"state_cache_size": 0, "data_buffer_time_limit_ms": -1, "use_process": False}


def test_beams_own_pool_listens_on_all_interfaces():
    before = ports.listening_now()
    _, server = Servicer.start(**OPTIONS)
    found = ports.listening_now() - before
    server.stop(None).wait()
    # Without this, `loopback_only` has no reason.
    assert [set(address.partition(":")[0]) for address in found] == [{"0"}]


def test_the_pool_listens_on_loopback_and_answers():
    before = ports.listening_now()
    with pool.loopback_only():
        address, server = Servicer.start(**OPTIONS)
        found = ports.listening_now() - before
        with grpc.insecure_channel(address) as channel:
            stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
            answer = stub.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id="none"), timeout=60)
        server.stop(None).wait()
    assert answer == beam_fn_api_pb2.StopWorkerResponse()
    assert found == {f"0100007F:{int(address.rpartition(':')[2]):04X}"}


def test_beams_own_is_back_afterwards_and_processes_are_refused():
    before = Servicer.__dict__["start"]
    with pool.loopback_only(), pytest.raises(ValueError, match="use_loopback_process_worker"):
        Servicer.start(**{**OPTIONS, "use_process": True})
    assert Servicer.__dict__["start"] is before
