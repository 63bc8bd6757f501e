"""Asks an engine's workers, by a job of one element, whether they can do a run's work."""

from __future__ import annotations

import concurrent.futures
import pathlib
import re
import secrets
import threading

import apache_beam as beam
from apache_beam.runners.runner import PipelineState

from shortlist.engines import worker_side
from shortlist.errors import BadInputError

SECONDS = 300.0
"""How long an idle engine may take for one element: it may have to start workers, each of which loads Beam."""

_MISMATCH = re.compile(r"WorkerMismatchError: (.+?)(?: \[while running|\\n|\n|$)")
_NO_PACKAGE = re.compile(r"(?:ModuleNotFound|Import)Error: (.+?)(?: \[while running|\\n|\n|$)")


def ask(args: list[str], folder: pathlib.Path) -> None:
    """Refuses workers that lack this package, have another version of it, or do not see the run's folder.

    Args:
      args: Beam's, of the engine.
      folder: Where the run keeps its artifacts; exists.

    Raises:
      BadInputError: Says what is wrong with the workers, or that no answer came.
    """
    token = secrets.token_hex(16)
    path = folder / f".worker-probe-{token[:8]}"
    path.write_text(token, encoding="utf-8")
    try:
        _run([*args, f"--job_server_timeout={int(SECONDS)}"], worker_side.expected(path, token), SECONDS)
    finally:
        path.unlink(missing_ok=True)


def _run(args: list[str], wanted: worker_side.Expected, seconds: float) -> None:
    answer: concurrent.futures.Future[str] = concurrent.futures.Future()

    def job() -> None:
        try:
            pipeline = beam.Pipeline(argv=args)
            _ = pipeline | beam.Create([wanted]) | beam.Map(worker_side.compare)
            answer.set_result(pipeline.run().wait_until_finish(duration=int(seconds * 1000)))
        except Exception as error:
            answer.set_exception(error)

    # A thread of its own: not every wait of Beam's client has an end.
    threading.Thread(target=job, daemon=True, name="shortlist-probe").start()
    try:
        state = answer.result(timeout=seconds)
    except concurrent.futures.TimeoutError:
        state = None
    except Exception as error:
        raise _refusal(str(error)) from error
    if state != PipelineState.DONE:
        raise BadInputError.from_parts(
            "beam",
            f"the engine to do one element of work within {seconds:g} s",
            "no answer",
            "look into the logs of the job server and of the workers: can they reach each other?",
        )


def _refusal(message: str) -> BadInputError:
    """Returns the error of an engine that failed with `message`."""
    if mismatch := _MISMATCH.search(message):
        return BadInputError.from_parts(
            "beam",
            "workers like this process",
            f"one of which is true: {mismatch[1]}",
            "install this package and the locked stack into their environment, and give them the workspace under the "
            "same path",
        )
    if missing := _NO_PACKAGE.search(message):
        return BadInputError.from_reason(
            "beam",
            "workers that have this package",
            missing[1],
            "install it and the locked stack into their environment (a worker pool takes no setup file) and start them "
            "with `shortlist worker`",
        )
    *_, last = message.strip().splitlines() or ["no reason"]
    return BadInputError.from_reason("beam", "the engine to do one element of work", last[:300])
