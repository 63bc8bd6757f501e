"""Runs the tasks of a compiled pipeline in the order of the DAG."""

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
"""Containers that run at once. Training or evaluating can take 2 GiB and all cores."""

_POLL_SECONDS = 0.05


class TaskFailed(ShortlistError):
    """A container failed for another reason than bad input."""


class WalkListener(Protocol):
    """Receives an event before and after each task."""

    def started(self, task: str, index: int, total: int) -> None:
        """Called before task `index` (from 1) of `total` starts."""

    def finished(self, task: str, seconds: float, cached: bool) -> None:
        """Called after a task succeeded."""

    def failed(self, task: str, seconds: float) -> None:
        """Called after a task failed and has no retries left."""


@dataclasses.dataclass(frozen=True)
class PodStorage:
    """Folders and URIs of a local KFP run."""

    mount: pathlib.Path
    """Folder used instead of the pods' `/` as the parent of `/s3`, `/gcs` and `/minio`."""

    root: str
    """URI of the folder of the run's artifacts: `<pipeline root>/<pipeline>/<run>`."""

    log: pathlib.Path
    """File with the output of all containers."""

    scratch: pathlib.Path
    """Folder of the containers' metadata of their outputs."""

    objects: launcher.ObjectStore | None = None
    """Object store of the artifacts. With it each container has its own `mount`; without it all share one."""


def walk(
    package: Package,
    run_parameters: Mapping[str, Any],
    storage: PodStorage,
    recorder: Recorder,
    listener: WalkListener,
) -> None:
    """Runs every task of a package after the tasks that it depends on, two at a time.

    A task with a match in the cache does not run.

    Args:
      package: A checked package.
      run_parameters: The run's parameters.
      storage: Folders and URIs of the run.
      recorder: Writes the run to ML Metadata.
      listener: Receives the events of each task.

    Raises:
      BadInputError: A parameter is missing, or a task refused the data.
      TaskFailed: A task failed for another reason, after its retries.
    """
    _Walk(package, run_parameters, storage, recorder, listener).run()


class _Walk:
    """State of a run: the ready tasks, the running containers and the outputs of the finished tasks."""

    def __init__(
        self,
        package: Package,
        run_parameters: Mapping[str, Any],
        storage: PodStorage,
        recorder: Recorder,
        listener: WalkListener,
    ):
        self._package, self._run_parameters, self._storage = package, run_parameters, storage
        self._recorder, self._listener = recorder, listener
        self._order = driver.order(package)
        self._ready: collections.deque[str] = collections.deque()
        self._running: dict[str, _Container] = {}
        self._outputs: dict[str, dict[str, Json]] = {}
        self._start_times: dict[str, float] = {}

    def run(self) -> None:
        """Runs all tasks."""
        try:
            while self._order.is_active():
                self._ready.extend(self._order.get_ready())
                while self._ready and len(self._running) < AT_ONCE:
                    self._start(self._ready.popleft())
                    # Imported and cached tasks end at once and can make others ready.
                    self._ready.extend(self._order.get_ready())
                self._poll()
        except ShortlistError:
            self._recorder.finish(pb.Execution.FAILED)
            raise
        finally:
            for container in self._running.values():
                container.kill()
        self._recorder.finish(pb.Execution.COMPLETE)

    def _start(self, name: str) -> None:
        """Starts a task's container, unless the task is an importer or its outputs are in the cache."""
        self._start_times[name] = time.monotonic()
        self._listener.started(name, len(self._start_times), len(self._package.tasks))
        task = self._package.tasks[name]
        with self._report_failure(name):
            inputs = {
                "parameterValues": driver.resolve_parameters(self._package, task, self._run_parameters),
                "artifacts": driver.resolve_artifacts(task, self._outputs),
            }
            if "importer" in driver.executor(self._package, task):
                self._finish(name, _import(self._package, name, inputs, self._recorder), cached=False)
                return
            fingerprint = ""
            if task.get("cachingOptions", {}).get("enableCache"):
                fingerprint = driver.fingerprint(self._package, task, inputs)
                cached = self._recorder.cached(name, fingerprint)
                if cached is not None:
                    outputs = self._recorder.task(name, inputs, cached, pb.Execution.CACHED, fingerprint)
                    self._finish(name, outputs, cached=True)
                    return
            self._running[name] = _Container(self._package, name, inputs, fingerprint, self._storage)

    def _poll(self) -> None:
        """Records the containers that ended. Sleeps briefly if none did."""
        results = {name: container.poll() for name, container in self._running.items()}
        for name, result in results.items():
            if result is None:
                continue
            container = self._running.pop(name)
            with self._report_failure(name):
                self._finish(name, _record(name, container, result, self._recorder), cached=False)
        if self._running and not any(results.values()):
            time.sleep(_POLL_SECONDS)

    def _finish(self, name: str, outputs: dict[str, Json], cached: bool) -> None:
        self._outputs[name] = outputs
        self._order.done(name)
        self._listener.finished(name, time.monotonic() - self._start_times[name], cached)

    @contextlib.contextmanager
    def _report_failure(self, name: str) -> Iterator[None]:
        try:
            yield
        except ShortlistError:
            self._listener.failed(name, time.monotonic() - self._start_times[name])
            raise


class _Container:
    """The container of a task, with the retries of the task's policy."""

    def __init__(self, package: Package, name: str, inputs: Json, fingerprint: str, storage: PodStorage):
        self.inputs = inputs
        self.fingerprint = fingerprint
        self._package, self._name, self._storage = package, name, storage
        retry: Document = package.tasks[name].get("retryPolicy", {})
        self._remaining_retries = int(retry.get("maxRetryCount", 0))
        self._backoff_seconds = _seconds(retry.get("backoffDuration", "0s"))
        self._backoff_factor = float(retry.get("backoffFactor", 1.0))
        self._max_backoff_seconds = _seconds(retry.get("backoffMaxDuration", "0s"))
        self._next_start = 0.0
        self._process: launcher.ContainerProcess | None = self._start()

    def poll(self) -> launcher.ContainerResult | None:
        """Returns the result of the last attempt, None while an attempt runs or another one follows."""
        if self._process is None:
            if time.monotonic() >= self._next_start:
                self._process = self._start()
            return None
        result = self._process.poll()
        if result is None or result.exit_code == ExitCode.DONE or not self._remaining_retries:
            return result
        logging.getLogger(__name__).warning("%s failed; another attempt in %.0f s", self._name, self._backoff_seconds)
        self._remaining_retries -= 1
        self._next_start = time.monotonic() + self._backoff_seconds
        self._backoff_seconds = min(self._backoff_seconds * self._backoff_factor, self._max_backoff_seconds)
        self._process = None
        return None

    def kill(self) -> None:
        """Kills the running attempt, if any."""
        if self._process is not None:
            self._process.kill()

    def _start(self) -> launcher.ContainerProcess:
        task, storage = self._package.tasks[self._name], self._storage
        # A new folder for each attempt: a failed one may have left partial outputs.
        salt = uuid.uuid4().hex
        output_file = storage.scratch / salt / "output_metadata.json"
        uri = f"{storage.root}/{self._name}/{salt}"
        executor_input = {
            "inputs": self.inputs,
            "outputs": driver.provision_outputs(self._package, task, uri, str(output_file)),
        }
        container = driver.executor(self._package, task)["container"]
        mount = storage.mount
        if storage.objects is not None:
            mount /= salt
        return launcher.ContainerProcess(container, executor_input, mount, storage.log, storage.objects)


def _import(package: Package, name: str, inputs: Json, recorder: Recorder) -> dict[str, Json]:
    imported = driver.resolve_importer(package, package.tasks[name], inputs["parameterValues"])
    artifact: Json = {"uri": imported.uri, "type": imported.type, "metadata": imported.metadata}
    if not imported.reimport:
        # The same artifact again, so that the tasks that read it come from the cache.
        artifact = recorder.find_imported(imported.uri, imported.type) or artifact
    return recorder.task(name, inputs, {imported.output: artifact}, pb.Execution.COMPLETE, kind=layout.IMPORTER)


def _record(name: str, container: _Container, result: launcher.ContainerResult, recorder: Recorder) -> dict[str, Json]:
    """Records a container that ended and returns its outputs.

    Raises:
      DataError: The container refused the data.
      TaskFailed: The container failed for another reason.
    """
    inputs, fingerprint = container.inputs, container.fingerprint
    if result.exit_code == ExitCode.DONE:
        return recorder.task(name, inputs, result.outputs, pb.Execution.COMPLETE, fingerprint)
    recorder.task(name, inputs, {}, pb.Execution.FAILED, fingerprint)
    if result.exit_code == ExitCode.BAD_INPUT:
        raise DataError(result.error)
    raise TaskFailed(f"{name}: exit code {result.exit_code}: {result.error}")


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))
