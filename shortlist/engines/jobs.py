"""Jobs that this process has submitted to a Beam job server, so that none is left when a run stops early."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import grpc
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability import portable_runner
from apache_beam.runners.runner import PipelineState

CANCEL_SECONDS = 20.0
"""Limit of the time that the end of a run waits for its jobs."""

_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.2


@contextlib.contextmanager
def cancelled_at_end(cancel_names: Callable[[set[str]], None] = lambda _: None) -> Iterator[None]:
    """Cancels the jobs that this process submits within the body and that have not ended after it.

    Beam's client leaves a job on the engine if the process that waits for it is interrupted.

    Args:
      cancel_names: Called with the names of such jobs before the job server is asked. Beam's Flink job server forgets
        a cancelled job, but leaves it on the cluster.
    """
    submitted: dict[str, Any] = {}
    run = portable_runner.JobServiceHandle.run

    def tracked(handle: Any, preparation_id: str) -> Any:
        answer = run(handle, preparation_id)
        submitted[answer[0]] = handle.job_service
        return answer

    with mock.patch.object(portable_runner.JobServiceHandle, "run", tracked):
        try:
            yield
        finally:
            with _warns():
                _cancel(submitted, cancel_names)


@contextlib.contextmanager
def _warns() -> Iterator[None]:
    """Turns exceptions of the body into warnings: the reason why the run ended matters more."""
    try:
        yield
    except Exception as error:
        logging.getLogger(__name__).warning("the jobs of this run may still be on the engine: %s", error)


def _cancel(submitted: dict[str, Any], cancel_names: Callable[[set[str]], None]) -> None:
    left = {job_id: service for job_id, service in submitted.items() if not _has_ended(service, job_id)}
    if not left:
        return
    # Beam's Flink job server makes the id from the job's name on the cluster, "_" and random letters.
    cancel_names({job_id.rpartition("_")[0] for job_id in left})
    deadline = time.monotonic() + CANCEL_SECONDS
    for job_id, service in left.items():
        logging.getLogger(__name__).info("cancelling the job %s", job_id)
        with contextlib.suppress(grpc.RpcError):
            service.Cancel(beam_job_api_pb2.CancelJobRequest(job_id=job_id), timeout=_ANSWER_SECONDS)
        while not _has_ended(service, job_id):
            if time.monotonic() > deadline:
                logging.getLogger(__name__).warning("the job %s did not end within %g s", job_id, CANCEL_SECONDS)
                return
            time.sleep(_POLL_SECONDS)


def _has_ended(service: Any, job_id: str) -> bool:
    request = beam_job_api_pb2.GetJobStateRequest(job_id=job_id)
    state = service.GetState(request, timeout=_ANSWER_SECONDS).state
    name = portable_runner.PipelineResult.runner_api_state_to_pipeline_state(state)
    return bool(PipelineState.is_terminal(name))
