"""Goes through a compiled pipeline task by task."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import pathlib
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.local_kfp import driver, launcher
from pipeline.kubeflow.local_kfp.record import Recorder
from pipeline.kubeflow.metadata import layout
from pipeline.kubeflow.package import Document, Package
from shortlist.errors import DataError, ExitCode, ShortlistError

Json = dict[str, Any]

AT_ONCE = 2
"""Containers: one that trains or evaluates may well take 2 GiB and all the cores there are."""

_LOOK_EVERY_SECONDS = 0.05


class TaskFailed(ShortlistError):
    """A container ended with an exit code that no user input explains."""


class WalkListener(Protocol):
    """Hears of each task before and after it runs."""

    def started(self, task: str, index: int, total: int) -> None:
        """Called before task `index` (from 1) of `total`."""

    def finished(self, task: str, seconds: float, cached: bool) -> None:
        """Called after a task ended well."""

    def failed(self, task: str, seconds: float) -> None:
        """Called when a task failed for good."""


@dataclasses.dataclass(frozen=True)
class PodStorage:
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


def walk(
    package: Package, told: Mapping[str, Any], stage: PodStorage, recorder: Recorder, listener: WalkListener
) -> None:
    """Runs every task once what it waits for is there, two at a time, from the cache where that has it.

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
    _Walk(package, told, stage, recorder, listener).go()


class _Walk:
    """Which tasks wait, which are at work, and what those that are done have made."""

    def __init__(
        self, package: Package, told: Mapping[str, Any], stage: PodStorage, recorder: Recorder, listener: WalkListener
    ):
        self._package, self._told, self._stage = package, told, stage
        self._recorder, self._listener = recorder, listener
        self._order = driver.order(package)
        self._ready: collections.deque[str] = collections.deque()
        self._at_work: dict[str, _Container] = {}
        self._made: dict[str, dict[str, Json]] = {}
        self._began: dict[str, float] = {}

    def go(self) -> None:
        """Runs them all."""
        try:
            while self._order.is_active():
                self._ready.extend(self._order.get_ready())
                while self._ready and len(self._at_work) < AT_ONCE:
                    self._start(self._ready.popleft())
                    self._ready.extend(self._order.get_ready())
                self._look()
        except ShortlistError:
            self._recorder.finish(pb.Execution.FAILED)
            raise
        finally:
            for container in self._at_work.values():
                container.kill()
        self._recorder.finish(pb.Execution.COMPLETE)

    def _start(self, name: str) -> None:
        """Brings what an importer brings or the cache has; else starts the task's container."""
        self._began[name] = time.monotonic()
        self._listener.started(name, len(self._began), len(self._package.tasks))
        task = self._package.tasks[name]
        with self._failing(name):
            inputs = {
                "parameterValues": driver.resolve_parameters(self._package, task, self._told),
                "artifacts": driver.resolve_artifacts(task, self._made),
            }
            if "importer" in driver.executor(self._package, task):
                self._done(name, _import(self._package, name, inputs, self._recorder), cached=False)
                return
            fingerprint = ""
            if task.get("cachingOptions", {}).get("enableCache"):
                fingerprint = driver.fingerprint(self._package, task, inputs)
                cached = self._recorder.cached(name, fingerprint)
                if cached is not None:
                    outputs = self._recorder.task(name, inputs, cached, pb.Execution.CACHED, fingerprint)
                    self._done(name, outputs, cached=True)
                    return
            self._at_work[name] = _Container(self._package, name, inputs, fingerprint, self._stage)

    def _look(self) -> None:
        """Files the containers that ended; where none did, waits a moment."""
        ended = {name: container.poll() for name, container in self._at_work.items()}
        for name, finished in ended.items():
            if finished is None:
                continue
            container = self._at_work.pop(name)
            with self._failing(name):
                self._done(name, _filed(name, container, finished, self._recorder), cached=False)
        if self._at_work and not any(ended.values()):
            time.sleep(_LOOK_EVERY_SECONDS)

    def _done(self, name: str, outputs: dict[str, Json], cached: bool) -> None:
        self._made[name] = outputs
        self._order.done(name)
        self._listener.finished(name, time.monotonic() - self._began[name], cached)

    @contextlib.contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except ShortlistError:
            self._listener.failed(name, time.monotonic() - self._began[name])
            raise


class _Container:
    """The container of a task, started again as often as its policy has it."""

    def __init__(self, package: Package, name: str, inputs: Json, fingerprint: str, stage: PodStorage):
        self.inputs = inputs
        self.fingerprint = fingerprint
        self._package, self._name, self._stage = package, name, stage
        retry: Document = package.tasks[name].get("retryPolicy", {})
        self._left = int(retry.get("maxRetryCount", 0))
        self._wait = _seconds(retry.get("backoffDuration", "0s"))
        self._factor = float(retry.get("backoffFactor", 1.0))
        self._longest = _seconds(retry.get("backoffMaxDuration", "0s"))
        self._due = 0.0
        self._started: launcher.ContainerProcess | None = self._start()

    def poll(self) -> launcher.ContainerResult | None:
        """Returns how its last attempt ended, None while there is one to come."""
        if self._started is None:
            if time.monotonic() >= self._due:
                self._started = self._start()
            return None
        finished = self._started.poll()
        if finished is None or finished.exit_code == ExitCode.DONE or not self._left:
            return finished
        logging.getLogger(__name__).warning("%s failed; another attempt in %.0f s", self._name, self._wait)
        self._left -= 1
        self._due = time.monotonic() + self._wait
        self._wait = min(self._wait * self._factor, self._longest)
        self._started = None
        return None

    def kill(self) -> None:
        """Ends it at once."""
        if self._started is not None:
            self._started.kill()

    def _start(self) -> launcher.ContainerProcess:
        task, stage = self._package.tasks[self._name], self._stage
        salt = uuid.uuid4().hex
        output_file = stage.scratch / salt / "output_metadata.json"
        uri = f"{stage.root}/{self._name}/{salt}"
        executor_input = {
            "inputs": self.inputs,
            "outputs": driver.provision_outputs(self._package, task, uri, str(output_file)),
        }
        container = driver.executor(self._package, task)["container"]
        mount = stage.mount / salt if stage.objects is not None else stage.mount
        return launcher.ContainerProcess(container, executor_input, mount, stage.log, stage.objects)


def _import(package: Package, name: str, inputs: Json, recorder: Recorder) -> dict[str, Json]:
    brought = driver.resolve_importer(package, package.tasks[name], inputs["parameterValues"])
    artifact = None if brought.reimport else recorder.matching(brought.uri, brought.type)
    artifact = artifact or {"uri": brought.uri, "type": brought.type, "metadata": brought.metadata}
    return recorder.task(name, inputs, {brought.output: artifact}, pb.Execution.COMPLETE, kind=layout.IMPORTER)


def _filed(name: str, container: _Container, finished: launcher.ContainerResult, recorder: Recorder) -> dict[str, Json]:
    inputs, fingerprint = container.inputs, container.fingerprint
    if finished.exit_code == ExitCode.DONE:
        return recorder.task(name, inputs, finished.outputs, pb.Execution.COMPLETE, fingerprint)
    recorder.task(name, inputs, {}, pb.Execution.FAILED, fingerprint)
    if finished.exit_code == ExitCode.BAD_INPUT:
        raise DataError(finished.said)
    raise TaskFailed(f"{name}: exit code {finished.exit_code}: {finished.said}")


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
