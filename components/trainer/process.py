"""One process of a training by several: `python -m components.trainer.process`.

The first line of stdin is a JSON task; the process ends when stdin does, so that it never outlives the one that started
it. Stdout has one JSON message per line: the chief's `progress`, and at the end one of

- `finished`;
- `refused`, with an error of a user's input or of resources;
- `lost`: another process of the training has ended;
- `failed`, with any other error.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

# Must come first: it sets environment variables that TensorFlow reads when it is imported.
import shortlist  # noqa: F401
from components.trainer import rendezvous
from components.trainer.cluster import VARIABLE, Cluster
from components.trainer.job import Job, Task
from shortlist import errors, fingerprints
from shortlist.process import progress

_SECONDS_BETWEEN_REPORTS = 0.5
_VERSION_OF = "tensorflow"
_MODULE = "components.trainer.process"

Send = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Runs the task on stdin."""
    # Libraries print to stdout, too.
    stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        with lock:
            stdout.write(json.dumps(message) + "\n")
            stdout.flush()

    task = Task(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    code = _run(task, send)
    sys.stderr.flush()
    # TensorFlow's servers would wait for those of the other processes.
    os._exit(code)


def _run(task: Task, send: Send) -> int:
    try:
        cluster = Cluster(tuple(task.addresses), task.number)
        job = _agree(task, cluster)
        # Only now: a worker waits for its chief without TensorFlow.
        from components.trainer import replica

        with contextlib.ExitStack() as stack:
            # Each process would report the same.
            if cluster.number == 0:
                stack.enter_context(progress.listening(_reporter(send)))
            replica.train(job, cluster)
    except (errors.BadInputError, errors.ResourceError) as error:
        send({"refused": type(error).__name__, "args": list(error.args)})
        return int(errors.ExitCode.BAD_INPUT)
    except Exception as error:
        if _is_of_another_process(error):
            # TensorFlow's own message is a page on an operation in the middle of a graph.
            send({"lost": "another process of the training has ended"})
        else:
            traceback.print_exc()
            send({"failed": f"{type(error).__name__}: {error}"})
        return int(errors.ExitCode.UNEXPECTED)
    send({"finished": True})
    return int(errors.ExitCode.DONE)


def _is_of_another_process(error: Exception) -> bool:
    """Returns whether an error is what TensorFlow raises when another process has ended."""
    import tensorflow as tf

    kinds = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
    return isinstance(error, (*kinds, tf.errors.DeadlineExceededError, tf.errors.InternalError))


def _agree(task: Task, cluster: Cluster) -> Job:
    """Returns the job, once all processes have the same code and data."""
    if not cluster.addresses:
        assert task.job is not None
        return Job(**task.job)
    if task.job is None:
        job = Job(**rendezvous.join(cluster, code_fingerprints, lambda sent: _fingerprints(Job(**sent))))
    else:
        job = Job(**task.job)
        rendezvous.lead(cluster, job._asdict(), lambda: _fingerprints(job), task.seconds)
    os.environ[VARIABLE] = cluster.tf_config()
    return job


def code_fingerprints() -> dict[str, str]:
    """Returns what all processes of a training must have in common before there is data."""
    return {
        "version": f"{_VERSION_OF} {importlib.metadata.version(_VERSION_OF)}",
        "code": fingerprints.code_sha256(_MODULE),
    }


def _fingerprints(job: Job) -> dict[str, str]:
    from components.trainer import replica

    return {**code_fingerprints(), "data": replica.data_sha256(job)}


def _reporter(send: Send) -> progress.Listener:
    last = 0.0

    def report(found: progress.Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if found.done == found.total or now - last >= _SECONDS_BETWEEN_REPORTS:
            last = now
            send({"progress": [found.done, found.total, found.unit, found.note]})

    return report


def _end_with_stdin() -> None:
    while sys.stdin.readline():
        pass
    os._exit(int(errors.ExitCode.TERMINATED))


if __name__ == "__main__":
    main()
