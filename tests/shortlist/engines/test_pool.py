"""Workers of two engines that use the same worker id, as the TaskManagers of a Flink cluster do."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator

import grpc
from apache_beam.portability.api import beam_fn_api_pb2 as pb
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.utils import thread_pool_executor

from shortlist.engines import pool, workers

_SECONDS = 120


class _Engine(beam_fn_api_pb2_grpc.BeamFnControlServicer):
    """The control server of one TaskManager."""

    def __init__(self) -> None:
        self.connected = threading.Event()
        self._requests: queue.Queue = queue.Queue()
        self._answers: queue.Queue = queue.Queue()

    def Control(self, request_iterator, context):
        self.connected.set()
        threading.Thread(target=self._collect, args=[request_iterator], daemon=True).start()
        return iter(self._requests.get, None)

    def _collect(self, answers) -> None:
        with contextlib.suppress(grpc.RpcError):
            for answer in answers:
                self._answers.put(answer)

    def worker_answers(self) -> bool:
        """Returns whether the worker handles an instruction."""
        request = pb.InstructionRequest(instruction_id="1", harness_monitoring_infos={})
        self._requests.put(request)
        try:
            return self._answers.get(timeout=_SECONDS).instruction_id == "1"
        except queue.Empty:
            return False

    def disconnect(self) -> None:
        """Closes the connection to the worker, as Beam does before it asks the pool to stop it."""
        self._requests.put(None)


@contextlib.contextmanager
def _engine() -> Iterator[tuple[_Engine, str]]:
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    engine = _Engine()
    beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield engine, f"127.0.0.1:{port}"
    finally:
        engine.disconnect()
        server.stop(0).wait()


def test_two_engines_with_the_same_worker_id():
    with (
        pool.serving("127.0.0.1", 0) as port,
        _engine() as (first, address),
        _engine() as (second, other),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        for control in (address, other):
            request = pb.StartWorkerRequest(worker_id="1-1", control_endpoint={"url": control})
            assert not stub.StartWorker(request, timeout=_SECONDS).error
        assert first.connected.wait(_SECONDS)
        assert second.connected.wait(_SECONDS)
        first.disconnect()
        stub.StopWorker(pb.StopWorkerRequest(worker_id="1-1"), timeout=_SECONDS)
        # The worker that started last belongs to the other engine. Beam's pool ends it here.
        assert second.worker_answers()
        second.disconnect()
        stub.StopWorker(pb.StopWorkerRequest(worker_id="1-1"), timeout=_SECONDS)


def _sleep(seconds: float) -> list[str]:
    return [sys.executable, "-S", "-c", f"import time; time.sleep({seconds})"]


def test_a_worker_that_does_not_end_is_ended_if_it_is_the_only_one():
    processes = workers.WorkerProcesses()
    processes.start("1-1", _sleep(1000))
    process = processes._by_id["1-1"][0]
    processes.stop("unknown", seconds=0)
    assert process.poll() is None
    processes.stop("1-1", seconds=0)
    assert process.poll() is not None


def test_workers_that_do_not_end_all_continue_if_their_owner_is_unknown():
    processes = workers.WorkerProcesses()
    for _ in range(2):
        processes.start("1-1", _sleep(1000))
    started = list(processes._by_id["1-1"])
    processes.stop("1-1", seconds=0.1)
    assert [process.poll() for process in started] == [None, None]
    start = time.monotonic()
    processes.stop_all()
    assert None not in [process.poll() for process in started]
    assert time.monotonic() - start < _SECONDS
