"""A test job, which shows whether an engine's workers can run a pipeline."""

from __future__ import annotations

import concurrent.futures
import pathlib
import re
import secrets
import threading

import apache_beam as beam
from apache_beam.runners.runner import PipelineState

from shortlist.config import engines
from shortlist.engines import worker_side
from shortlist.errors import BadInputError

SECONDS = 300.0
"""Time limit of the test job: an idle engine may have to start workers, each of which loads Beam."""

_MISMATCH = re.compile(r"WorkerMismatchError: (.+?)(?: \[while running|\\n|\n|$)")
_NO_PACKAGE = re.compile(r"(?:ModuleNotFound|Import)Error: (.+?)(?: \[while running|\\n|\n|$)")


# With one element per slot, the engine may leave a third of the slots without any.
_ELEMENTS_PER_SLOT = 4


def check_workers(engine: engines.PortableBeam | engines.FlinkBeam, args: list[str], folder: pathlib.Path) -> None:
    """Raises an error if workers lack this package, have another version of it, or cannot read the run's folder.

    The job has more elements than the engine has task slots, so that each TaskManager starts a worker.

    Args:
      engine: The checked engine.
      args: Beam's arguments for the engine.
      folder: The folder of the run's artifacts; must exist.

    Raises:
      BadInputError: The workers are not usable, or the job did not finish in time.
    """
    # Random, so that a stale file of an earlier test cannot match.
    token = secrets.token_hex(16)
    path = folder / f".worker-probe-{token[:8]}"
    path.write_text(token, encoding="utf-8")
    try:
        expected = worker_side.expectation(path, token, from_pool=engine.worker_endpoint is not None)
        elements = [expected] * _ELEMENTS_PER_SLOT * (engine.parallelism or 1)
        _run([*args, f"--job_server_timeout={int(SECONDS)}"], elements, SECONDS)
    finally:
        path.unlink(missing_ok=True)


def _run(args: list[str], elements: list[worker_side.Expected], seconds: float) -> None:
    answer: concurrent.futures.Future[str] = concurrent.futures.Future()

    def job() -> None:
        try:
            pipeline = beam.Pipeline(argv=args)
            _ = pipeline | beam.Create(elements) | beam.Map(worker_side.compare)
            answer.set_result(pipeline.run().wait_until_finish(duration=int(seconds * 1000)))
        except Exception as error:
            answer.set_exception(error)

    # In a separate thread, since some waits of Beam's client have no time limit.
    threading.Thread(target=job, daemon=True, name="shortlist-probe").start()
    try:
        state = answer.result(timeout=seconds)
    except concurrent.futures.TimeoutError:
        state = None
    except Exception as error:
        raise _worker_error(str(error)) from error
    if state != PipelineState.DONE:
        raise BadInputError.from_parts(
            "beam",
            f"the engine to process a test job within {seconds:g} s",
            "no answer",
            "read the logs of the job server and of the workers, and check that they can reach each other",
        )


def _worker_error(message: str) -> BadInputError:
    """Returns the error of an engine that failed with `message`."""
    if mismatch := _MISMATCH.search(message):
        return BadInputError.from_parts(
            "beam",
            "workers with the same packages and files as this process",
            f"a worker that differs: {mismatch[1]}",
            "install this package and the locked requirements into their environment, and mount the workspace there "
            "under the same path",
        )
    if missing := _NO_PACKAGE.search(message):
        return BadInputError.from_reason(
            "beam",
            "workers that have this package",
            missing[1],
            "install it and the locked requirements into their environment (a worker pool ignores setup files) and "
            "start them with `shortlist worker`",
        )
    *_, last = message.strip().splitlines() or ["no reason"]
    return BadInputError.from_reason("beam", "the engine to process a test job", last[:300])
