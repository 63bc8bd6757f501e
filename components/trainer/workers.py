"""Starts the processes of a training, and starts them again from the last checkpoint when one of them dies.

TensorFlow's collective operations can neither continue without a process nor admit a new one. All processes end, and
start again from the checkpoint. Without TF_CONFIG all of them run on this machine and are started here. With it, this
module starts the chief's process, and `shortlist train-worker` one on each other machine (`serve`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from components.trainer.cluster import Cluster, from_environment, loopback
from components.trainer.job import Job, Task
from shortlist import errors
from shortlist.config.train import Train
from shortlist.process import ending, progress

MAX_RESTARTS = 3
"""Restarts without a new checkpoint between them, after which the training fails."""

_COMMAND = (sys.executable, "-m", "components.trainer.process")
_ROOT = str(pathlib.Path(__file__).resolve().parents[2])
_END_SECONDS = 5.0
_PAUSE_SECONDS = 1.0
_LINES_OF_LOG = 20
_ERRORS = {kind.__name__: kind for kind in (errors.ConfigError, errors.DataError, errors.ResourceError)}
_logger = logging.getLogger(__name__)


def train(job: Job, section: Train, newest_checkpoint: Callable[[], str]) -> None:
    """Trains in processes of their own, until the last checkpoint and the best weights are in the job's folder.

    Args:
      job: The training.
      section: `train`, with the strategy and the number of workers.
      newest_checkpoint: Returns the name of the newest checkpoint; "" if there is none.

    Raises:
      ConfigError: TF_CONFIG is wrong, a worker does not answer or differs from the chief, or devices are lacking.
      DataError: A process refuses the data.
      ResourceError: Memory or disk ran out.
      RuntimeError: A process failed, or processes died `MAX_RESTARTS` + 1 times without a new checkpoint.
    """
    failures, last = 0, newest_checkpoint()
    while True:
        problem = _attempt(job, section)
        if problem is None:
            return
        newest = newest_checkpoint()
        failures = 1 if newest != last else failures + 1
        last = newest
        if failures > MAX_RESTARTS:
            raise RuntimeError(
                f"{problem}; the training ended {failures} times without a new checkpoint: see the log above, remove "
                "the cause and run the same command again, it resumes from the last checkpoint"
            )
        _logger.warning(
            "%s; the training resumes from %s (restart %d of %d without a new checkpoint)",
            problem,
            newest or "its start, because there is no checkpoint yet",
            failures,
            MAX_RESTARTS,
        )
        time.sleep(_PAUSE_SECONDS)


def chief_cluster(section: Train) -> Cluster | None:
    """Returns the cluster of TF_CONFIG as its chief sees it; None if all processes run on this machine.

    Raises:
      ConfigError: TF_CONFIG is not a cluster of `train.workers` processes, or not its chief's.
    """
    cluster = from_environment(section.workers)
    if cluster is not None and cluster.number:
        raise errors.ConfigError.from_parts(
            "TF_CONFIG", "the chief's task", f"that of worker {cluster.number}", "run `shortlist train-worker` here"
        )
    return cluster


def serve(cluster: Cluster, on_event: Callable[[str], None]) -> None:
    """Takes part in one training after the other, as a worker, until a signal ends this process.

    Args:
      cluster: The cluster, as this worker sees it.
      on_event: Takes a sentence on each training's end.
    """
    task = Task(list(cluster.addresses), cluster.number, 0.0, None)
    while True:
        # Libraries print warnings that concern nobody, unless the process dies of what they warn of.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            with _running([task], log) as (processes, messages):
                _, message = messages.get()
                processes[0].wait()
            if message is None:
                log.seek(0)
                last = "".join(log.readlines()[-_LINES_OF_LOG:])
                on_event(f"this worker {_end_of(processes[0])} and starts again\n{last}".rstrip())
            elif "finished" in message:
                on_event("the training has ended")
            elif "refused" in message:
                on_event(f"refused: {message['args'][0]}")
            else:
                on_event(f"{message.get('lost') or message['failed']}; this worker starts again")
        time.sleep(_PAUSE_SECONDS)


def _attempt(job: Job, section: Train) -> str | None:
    """Runs the processes until one of them ends the training; returns the problem, or None if it is finished."""
    tasks = _tasks(job, section)
    with _running(tasks) as (processes, messages):
        finished: set[int] = set()
        while len(finished) < len(tasks):
            number, message = messages.get()
            if message is None:
                if number in finished:
                    continue
                # The others notice a death after ten seconds; it is the first one that counts.
                processes[number].wait()
                return f"training process {number} {_end_of(processes[number])}"
            if "progress" in message:
                progress.report(*message["progress"])
            elif "finished" in message:
                finished.add(number)
            elif "refused" in message:
                raise _ERRORS.get(message["refused"], errors.BadInputError)(*message["args"])
            elif "failed" in message:
                raise RuntimeError(f"training process {number}: {message['failed']}")
            elif "lost" in message and len(tasks) == 1:
                return str(message["lost"])
        return None


def _tasks(job: Job, section: Train) -> list[Task]:
    """Returns the processes to start on this machine, the chief's first."""
    sent = job._asdict()
    if section.strategy == "mirrored":
        return [Task([], 0, 0.0, sent)]
    cluster = chief_cluster(section)
    seconds = section.worker_timeout_seconds
    if cluster is None:
        addresses = list(loopback(section.workers).addresses)
        return [Task(addresses, index, seconds, sent if index == 0 else None) for index in range(section.workers)]
    return [Task(list(cluster.addresses), 0, seconds, sent)]


@contextlib.contextmanager
def _running(
    tasks: Sequence[Task], log: IO[str] | None = None
) -> Iterator[tuple[list[subprocess.Popen[str]], queue.Queue[Any]]]:
    """Runs processes within its body; yields them and the queue of (number, message), with None for an end.

    What they print on stderr goes to `log`; by default, to the stderr of this process.
    """
    messages: queue.Queue[Any] = queue.Queue()
    processes: list[subprocess.Popen[str]] = []
    threads: list[threading.Thread] = []
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH")]))
    try:
        for number, task in enumerate(tasks):
            process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # A group of its own: Ctrl-C reaches this process, which then ends the others.
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path},
            )
            processes.append(process)
            threads.append(threading.Thread(target=_listen, args=(number, process, messages), daemon=True))
            threads[-1].start()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(task._asdict()) + "\n")
                process.stdin.flush()
        yield processes, messages
    finally:
        ending.end_all(processes, _END_SECONDS)
        for process in processes:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
        for thread in threads:
            thread.join()


def _listen(number: int, process: subprocess.Popen[str], messages: queue.Queue[Any]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            # A process that is killed can leave half a line.
            with contextlib.suppress(ValueError):
                messages.put((number, json.loads(line)))
    messages.put((number, None))


def _end_of(process: subprocess.Popen[str]) -> str:
    code = process.returncode
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with code {code}"
