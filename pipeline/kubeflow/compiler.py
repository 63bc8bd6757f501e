"""From a config to what Kubeflow Pipelines v2 takes: two YAML documents, checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline import schemas
from pipeline.create_pipeline import Sources, create_pipeline
from pipeline.kubeflow import parameters, platform
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.parameters import ComparedWith
from pipeline.kubeflow.target import KubeflowTarget, parameter
from shortlist.config.config import Config
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import ConfigError
from shortlist.tables.spec import Unit, table_spec

ENTRYPOINT = ("python", "-m", "pipeline.kubeflow.entrypoint")


def compile_pipeline(config: Config, timestamp_unit: Unit, compared_with: ComparedWith = parameters.NOTHING) -> Package:
    """Returns the package of a config; nothing is read but the schemas.

    Args:
      config: A checked config with a section `kubeflow`.
      timestamp_unit: Of the interactions' timestamp, as the preflight found it.
      compared_with: What the run will be compared with; what is None has no place in the package.

    Raises:
      ConfigError: A schema is none, a table's path is one of this machine, Beam's engine cannot work there, or
        `kubeflow.tasks` names no node.
    """
    kubeflow = platform.section(config)
    _check_paths(config, kubeflow)
    _check_engine(config, kubeflow)
    with tempfile.TemporaryDirectory() as folder:
        sources = _sources(config, timestamp_unit, Path(folder))
        # The folder's name is all that remedies need, and wherever it is here it is not there.
        told = config.data.model_copy(update={"schemas": Path(config.data.schemas).name})
        pipeline = create_pipeline(config.model_copy(update={"data": told}), sources, KubeflowTarget(compared_with))
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=kubeflow.image,
            default_commands=[*ENTRYPOINT, "--storage", kubeflow.storage],
            use_pipeline_spec_2_1=True,
        )
    )
    spec: dict[str, Any] = runner.run(pipeline, write_out=False)["pipelineSpec"]
    return platform.with_task_settings(spec, kubeflow)


def _check_paths(config: Config, kubeflow: Kubeflow) -> None:
    mounts = [f"{volume.path}/" for volume in kubeflow.volumes]
    for name, table in config.data.tables.items():
        if table.path.startswith("/") and not table.path.startswith(tuple(mounts)):
            raise ConfigError.from_parts(
                f"data.{name}.path",
                "a path that the pods see",
                table.path,
                "make it relative to kubeflow.data_root, name a URI, or mount it with kubeflow.volumes",
            )


def _check_engine(config: Config, kubeflow: Kubeflow) -> None:
    """Refuses engines whose workers would not see what a task reads, or which would be looked for in the pod."""
    engine = config.beam.engine
    if engine == "direct":
        return
    if engine == "flink":
        raise ConfigError("beam.engine: flink starts its job server beside the run, which a pod has not; use portable")
    if kubeflow.storage != "direct":
        raise ConfigError(
            f"beam.engine: the workers of {engine} are outside of the pod and do not see what KFP copies into it; use "
            "direct, or kubeflow.storage: direct with a gs:// root"
        )


def _sources(config: Config, timestamp_unit: Unit, folder: Path) -> Sources:
    return Sources(
        data_root=parameter(parameters.DATA_ROOT),
        content_sha256={name: parameter(parameters.content_sha256(name)) for name in config.data.tables},
        schema_files={
            name: schemas.stage(table_spec(name, table, timestamp_unit), config.data.schemas, folder)
            for name, table in config.data.tables.items()
        },
        timestamp_unit=timestamp_unit,
    )
