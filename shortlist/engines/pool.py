"""A pool of Beam workers that have this package: what an engine asks for a worker where it starts none itself.

Beam's own (`worker_pool_main`) listens on all interfaces, takes the first `python` on the path, whatever it has, and
stops for ever a worker that prints more than a pipe holds.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main
from apache_beam.utils import thread_pool_executor

from shortlist.errors import ConfigError


class _Pool(worker_pool_main.BeamFnExternalWorkerPoolServicer):
    """Starts a process for each worker that is asked for."""

    def StartWorker(self, request: Any, context: Any) -> Any:
        command = [sys.executable, "-m", "shortlist.engines.harness", request.control_endpoint.url, request.worker_id]
        try:
            # What workers print is for whoever watches the pool.
            self._worker_processes[request.worker_id] = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError:
            return beam_fn_api_pb2.StartWorkerResponse(error=traceback.format_exc())
        return beam_fn_api_pb2.StartWorkerResponse()

    def stop(self) -> None:
        for process in list(self._worker_processes.values()):
            worker_pool_main.kill_process_gracefully(process)


@contextlib.contextmanager
def serving(host: str, port: int) -> Iterator[int]:
    """Serves a pool until the block is left, and then ends its workers; yields the port.

    Args:
      host: The interface; whoever reaches it can run any code.
      port: 0 for one that is free.

    Raises:
      ConfigError: The address is taken or is none of this machine's.
    """
    pool = _Pool(use_process=True)
    server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise ConfigError.from_parts("--host, --port", "an address that is free here", f"{host}:{port}") from None
    server.start()
    try:
        yield int(bound)
    finally:
        server.stop(grace=None).wait()
        pool.stop()


def serve(host: str, port: int, tell: Any) -> None:
    """Serves until the process is told to end."""
    with serving(host, port) as bound:
        tell(bound)
        threading.Event().wait()
