"""A pool of Beam workers that have this package, for engines that do not start workers themselves.

Beam's own pool (`worker_pool_main`) has four faults. It listens on all interfaces. It starts the first `python` on the
path, which may lack this package. A worker that prints more than a pipe's buffer hangs for ever. It keeps one process
per worker id, although each TaskManager of a Flink cluster numbers its workers alike.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main
from apache_beam.utils import thread_pool_executor

from shortlist.engines.workers import WorkerProcesses
from shortlist.errors import ConfigError


class _Pool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a process for each worker that an engine requests."""

    def __init__(self) -> None:
        self.workers = WorkerProcesses()

    def StartWorker(self, request: Any, context: Any) -> Any:
        command = [sys.executable, "-m", "shortlist.engines.harness", request.control_endpoint.url, request.worker_id]
        try:
            self.workers.start(request.worker_id, command)
        except OSError:
            return beam_fn_api_pb2.StartWorkerResponse(error=traceback.format_exc())
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(self, request: Any, context: Any) -> Any:
        self.workers.stop(request.worker_id)
        return beam_fn_api_pb2.StopWorkerResponse()


@contextlib.contextmanager
def serving(host: str, port: int) -> Iterator[int]:
    """Serves a pool within its body, then ends its workers. Yields the port.

    Args:
      host: The interface to listen at. Anybody who can reach it can run any code here.
      port: The port; 0 for any free one.

    Raises:
      ConfigError: The address is in use or does not belong to this machine.
    """
    pool = _Pool()
    # so_reuseport=0: by default gRPC would share a port with another pool, and workers would start in either.
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound_port = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise ConfigError.from_parts("--host, --port", "an address that is free here", f"{host}:{port}") from None
    server.start()
    try:
        yield int(bound_port)
    finally:
        server.stop(grace=None).wait()
        pool.workers.stop_all()


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """Makes a pool that Beam starts in this process listen on loopback within the body.

    Beam's runner starts one for `--environment_type=LOOPBACK`. Despite the name it listens on all interfaces
    (`worker_pool_main` of Beam 2.60), and anybody who reaches it can run any code here.
    """
    servicer: Any = worker_pool_main.BeamFnExternalWorkerPoolServicer
    beams_own = servicer.__dict__["start"]
    servicer.start = staticmethod(_start_on_loopback)
    try:
        yield
    finally:
        servicer.start = beams_own


def _start_on_loopback(use_process: bool = False, port: int = 0, **options: Any) -> tuple[str, grpc.Server]:
    """Returns address and server, as Beam's own `start` does. Its workers are threads of this process."""
    if use_process:
        raise ValueError("expected workers in this process, got the experiment use_loopback_process_worker")
    pool = worker_pool_main.BeamFnExternalWorkerPoolServicer(use_process=False, **options)
    # As in Beam: long jobs send pings without data.
    pings = [("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0)]
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=pings)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    return address, server


def serve(host: str, port: int, on_start: Callable[[int], None]) -> None:
    """Serves a pool until a signal ends the process.

    Args:
      host: See `serving`.
      port: See `serving`.
      on_start: Called with the port once the pool listens.
    """
    with serving(host, port) as bound_port:
        on_start(bound_port)
        threading.Event().wait()
