"""Goes through a compiled pipeline task by task."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.metadata import layout
from pipeline.kubeflow.package import Document, Package
from pipeline.kubeflow.rehearsal import driver, launcher
from pipeline.kubeflow.rehearsal.record import Recorder
from shortlist.errors import DataError, ExitCode, ShortlistError

Json = dict[str, Any]


class TaskFailed(ShortlistError):
    """A container ended with an exit code that no user input explains."""


class Listener(Protocol):
    """Hears of each task before and after it runs."""

    def started(self, task: str, index: int, total: int) -> None:
        """Called before task `index` (from 1) of `total`."""

    def finished(self, task: str, seconds: float, cached: bool) -> None:
        """Called after a task ended well."""

    def failed(self, task: str, seconds: float) -> None:
        """Called when a task failed for good."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Where a rehearsal takes place."""

    mount: pathlib.Path
    """Folder in place of the pods' `/`, below which `/s3`, `/gcs` and `/minio` are."""

    root: str
    """URI below which the run's artifacts go: `<pipeline root>/<pipeline>/<run>`."""

    log: pathlib.Path
    """All that containers print."""

    scratch: pathlib.Path
    """What containers say of their outputs."""

    objects: launcher.ObjectStore | None = None
    """Where artifacts are kept; without it, they stay below `mount`. With it, each container has its own folder."""


def walk(package: Package, told: Mapping[str, Any], stage: Stage, recorder: Recorder, listener: Listener) -> None:
    """Runs every task in order, from the cache where that has it.

    Args:
      package: A checked package.
      told: The run's parameters.
      stage: Where it takes place.
      recorder: Files all of it.
      listener: Hears of every task.

    Raises:
      BadInputError: A parameter is missing, or a task refused the data.
      TaskFailed: A task failed otherwise, after its retries.
    """
    names = driver.order(package)
    made: dict[str, dict[str, Json]] = {}
    for index, name in enumerate(names, start=1):
        listener.started(name, index, len(names))
        start = time.monotonic()
        task = package.tasks[name]
        inputs = {
            "parameterValues": driver.resolved_parameters(package, task, told),
            "artifacts": driver.resolved_artifacts(task, made),
        }
        try:
            if "importer" in driver.executor(package, task):
                made[name], cached = _import(package, name, inputs, recorder), False
            else:
                made[name], cached = _run(package, name, inputs, stage, recorder)
        except ShortlistError:
            listener.failed(name, time.monotonic() - start)
            recorder.finish(pb.Execution.FAILED)
            raise
        listener.finished(name, time.monotonic() - start, cached)
    recorder.finish(pb.Execution.COMPLETE)


def _import(package: Package, name: str, inputs: Json, recorder: Recorder) -> dict[str, Json]:
    brought = driver.imported(package, package.tasks[name], inputs["parameterValues"])
    artifact = None if brought.reimport else recorder.matching(brought.uri, brought.type)
    artifact = artifact or {"uri": brought.uri, "type": brought.type, "metadata": brought.metadata}
    return recorder.task(name, inputs, {brought.output: artifact}, pb.Execution.COMPLETE, kind=layout.IMPORTER)


def _run(package: Package, name: str, inputs: Json, stage: Stage, recorder: Recorder) -> tuple[dict[str, Json], bool]:
    task = package.tasks[name]
    fingerprint = ""
    if task.get("cachingOptions", {}).get("enableCache"):
        fingerprint = driver.fingerprint(package, task, inputs)
        cached = recorder.cached(name, fingerprint)
        if cached is not None:
            return recorder.task(name, inputs, cached, pb.Execution.CACHED, fingerprint), True
    finished = _with_retries(package, name, inputs, stage)
    if finished.exit_code != ExitCode.DONE:
        recorder.task(name, inputs, {}, pb.Execution.FAILED, fingerprint)
        if finished.exit_code == ExitCode.BAD_INPUT:
            raise DataError(finished.said)
        raise TaskFailed(f"{name}: exit code {finished.exit_code}: {finished.said}")
    return recorder.task(name, inputs, finished.outputs, pb.Execution.COMPLETE, fingerprint), False


def _with_retries(package: Package, name: str, inputs: Json, stage: Stage) -> launcher.Finished:
    task = package.tasks[name]
    retry: Document = task.get("retryPolicy", {})
    wait = _seconds(retry.get("backoffDuration", "0s"))
    for attempt in range(int(retry.get("maxRetryCount", 0)) + 1):
        if attempt:
            logging.getLogger(__name__).warning("%s failed; attempt %d in %.0f s", name, attempt + 1, wait)
            time.sleep(wait)
            wait = min(wait * float(retry.get("backoffFactor", 1.0)), _seconds(retry.get("backoffMaxDuration", "0s")))
        salt = uuid.uuid4().hex
        output_file = stage.scratch / salt / "output_metadata.json"
        executor_input = {
            "inputs": inputs,
            "outputs": driver.provisioned_outputs(package, task, f"{stage.root}/{name}/{salt}", str(output_file)),
        }
        container = driver.executor(package, task)["container"]
        mount = stage.mount / salt if stage.objects is not None else stage.mount
        finished = launcher.run(container, executor_input, mount, stage.log, stage.objects)
        if finished.exit_code == ExitCode.DONE:
            break
    return finished


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
