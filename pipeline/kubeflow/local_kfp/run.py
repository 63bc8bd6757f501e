"""`shortlist run --orchestrator kubeflow-local`: compiles a config's pipeline and executes the package locally."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import os
import pathlib
import time
from typing import Any

from ml_metadata import metadata_store

from pipeline import collect
from pipeline.kubeflow import check, compiler, locations, parameters, platform, submission
from pipeline.kubeflow.local_kfp import record, walk
from pipeline.kubeflow.metadata import earlier
from pipeline.kubeflow.metadata import store as cluster
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.parameters import ComparisonUris
from pipeline.local_runner import NodeResult, RunListener
from shortlist.config.config import Config
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import BadInputError, ConfigError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.process import memory
from shortlist.summary import Status, Summary, write_summary
from shortlist.tables import content
from shortlist.tables.spec import Unit
from shortlist.verdicts import refused
from shortlist.workspace import Workspace

IMAGE = "rehearsal"
"""Image of a config without one; nothing pulls it. It is part of the cache keys, so that the name must not change."""
_ROOT = "minio://mlpipeline/v2/artifacts"
"""KFP's own default of the pipeline root."""


def execute(
    config: Config,
    workspace: Workspace,
    run_id: str,
    data_root: str | os.PathLike[str],
    listener: RunListener,
    timestamp_unit: Unit,
) -> Summary:
    """Compiles the pipeline, executes the package, and returns the summary, which is also written to a file.

    Args:
      config: A checked config, after the preflight.
      workspace: Workspace of local KFP runs, separate from that of other runs. The run's folder exists already.
      run_id: The run's id.
      data_root: Folder on this machine that relative data paths start from.
      listener: Receives the events of each task.
      timestamp_unit: Unit of the interactions' timestamp; the preflight detects it.

    Raises:
      ConfigError: The pipeline does not compile, or Kubeflow Pipelines would refuse it.
      DataError: A task refused the data; the summary's status is `refused`.
      TaskFailed: A task failed for another reason; the summary's status is `failed`.
    """
    start = time.monotonic()
    config = _with_section(config)
    store = record.open_store(workspace.metadata_path)
    sha256 = content.tables_sha256(config.data.tables, data_root)
    run_parameters = submission.run_parameters(config, os.fspath(data_root), str(workspace.serving_dir), sha256)
    package, comparison = _compile(config, timestamp_unit, run_parameters, store)
    run_parameters |= comparison.parameters
    check.refuse_problems(package, config.name, _mounts(config), [os.fspath(data_root), str(workspace.root)])
    run_dir = workspace.run_dir(run_id)
    (run_dir / "pipeline.yaml").write_text(package.to_yaml(), encoding="utf-8")

    root = f"{(platform.section(config).pipeline_root or _ROOT).rstrip('/')}/{config.name}/{run_id}"
    mount = workspace.root / "pods"
    storage = walk.PodStorage(mount, root, run_dir / "pods.log", run_dir / "outputs")
    task_listener = _TaskListener(listener)
    recorder = record.Recorder(store, config.name, run_id, root, run_parameters)

    def summarise(status: Status | None, reason: str = "") -> Summary:
        summary = collect.collect(
            config=config,
            executions=_nodes(cluster.ClusterStore(store).run(run_id), mount),
            run_id=run_id,
            data_sha256=sha256,
            seconds=task_listener.seconds,
            total_seconds=time.monotonic() - start,
            peak_rss_mb=memory.Meter().highest_mb(),
            # The tasks run in processes of their own, whose memory is not measured.
            node_peaks_mb={},
        )
        if status is not None:
            summary = summary.model_copy(update={"status": status, "reasons": [reason]})
        if status is Status.REFUSED:
            summary = summary.model_copy(update={"gates": refused(reason)})
        write_summary(summary, run_dir)
        workspace.point_latest_at(run_id)
        return summary

    try:
        walk.walk(_without_env(package), run_parameters, storage, recorder, task_listener)
    except BadInputError as refusal:
        summarise(Status.REFUSED, str(refusal))
        raise
    except walk.TaskFailed as failure:
        summarise(Status.FAILED, str(failure))
        raise
    return summarise(None)


def _with_section(config: Config) -> Config:
    """Returns a config with a section `kubeflow`. Local KFP runs do not need one in the file."""
    kubeflow = config.kubeflow or Kubeflow(image=IMAGE)
    if kubeflow.storage == "direct":
        raise ConfigError.from_parts(
            "kubeflow.storage", "copied", "direct: a local KFP run has no gs:// bucket that TFX could open"
        )
    return config.model_copy(update={"kubeflow": kubeflow})


def _without_env(package: Package) -> Package:
    """Returns a package whose containers set no environment variables.

    The variables come from the config, whose author may not run code on this machine: LD_PRELOAD, PYTHONPATH and others
    name code. In a cluster they are set within the container only.
    """
    pipeline = copy.deepcopy(package.pipeline)
    for executor in pipeline["deploymentSpec"]["executors"].values():
        executor.get("container", {}).pop("env", None)
    return dataclasses.replace(package, pipeline=pipeline)


def _mounts(config: Config) -> list[str]:
    return [volume.path for volume in platform.section(config).volumes]


def _compile(
    config: Config, timestamp_unit: Unit, run_parameters: dict[str, str], store: metadata_store.MetadataStore
) -> tuple[Package, ComparisonUris]:
    """Returns the package as `submit` would compile it, and the artifacts of earlier local KFP runs to compare with."""
    package = compiler.compile_pipeline(config, timestamp_unit)
    runs = cluster.ClusterStore(store).runs(config.name)
    comparison = earlier.comparison_uris(runs, package, run_parameters, config.data.tables, config.has_warm_start)
    if comparison != parameters.NO_COMPARISON:
        package = compiler.compile_pipeline(config, timestamp_unit, comparison)
    return package, comparison


class _TaskListener:
    """Forwards the events of tasks to a run's listener and records each task's seconds."""

    def __init__(self, listener: RunListener):
        self._listener = listener
        self.seconds: dict[str, float] = {}

    def started(self, task: str, index: int, total: int) -> None:
        self._listener.node_started(task, index, total)

    def finished(self, task: str, seconds: float, cached: bool) -> None:
        self.seconds[task] = round(seconds, 3)
        self._listener.node_finished(NodeResult(task, seconds, cached))

    def failed(self, task: str, seconds: float) -> None:
        self.seconds[task] = round(seconds, 3)
        self._listener.node_failed(task, seconds)


def _nodes(run: cluster.ClusterRun | None, mount: pathlib.Path) -> dict[str, Execution]:
    """Returns a run's tasks as executions for the summary; their artifacts have paths on this machine as URIs."""
    tasks = run.tasks if run is not None else {}
    return {name: _execution(task, mount) for name, task in tasks.items()}


def _execution(task: cluster.ClusterTask, mount: pathlib.Path) -> Execution:
    outputs: dict[str, list[Artifact]] = {}
    for key, artifact in task.outputs.items():
        path = locations.local_path(artifact.uri, str(mount)) or artifact.uri
        properties: dict[str, Any] = locations.replace_names(artifact.properties, {artifact.uri: path})
        # A pipeline spec's names of TFX's artifact types have a prefix; the names of local runs do not.
        outputs[key] = [Artifact(artifact.id, artifact.type.removeprefix("tfx."), path, properties)]
    # The summary reads neither the inputs nor the times of an execution.
    return Execution(
        id=task.id,
        node=task.name,
        run_id="",
        state=task.state,
        started=datetime.datetime.fromtimestamp(0, datetime.timezone.utc),
        seconds=0.0,
        properties=task.parameters,
        inputs={},
        outputs=outputs,
    )
