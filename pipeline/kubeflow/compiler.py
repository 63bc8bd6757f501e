"""Compiles a config to a package of Kubeflow Pipelines v2: one or two YAML documents."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline import schemas
from pipeline.checked_table import Sources
from pipeline.create_pipeline import create_pipeline
from pipeline.kubeflow import parameters, platform
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.parameters import ComparisonUris
from pipeline.kubeflow.target import KubeflowTarget, parameter
from shortlist.config.config import Config
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import ConfigError
from shortlist.tables.spec import Unit, table_spec

ENTRYPOINT = ("python", "-m", "pipeline.kubeflow.entrypoint")


def compile_pipeline(
    config: Config, timestamp_unit: Unit, comparison: ComparisonUris = parameters.NO_COMPARISON
) -> Package:
    """Returns the package of a config. It reads the schemas only, not the data.

    Args:
      config: A checked config with a section `kubeflow`.
      timestamp_unit: Unit of the interactions' timestamp; the preflight detects it.
      comparison: Artifacts of earlier runs to compare with. The package has importers for those that are not None.

    Raises:
      ConfigError: A file is not a schema, a table's path exists on this machine only, Beam's engine cannot work in a
        pod, or `kubeflow.tasks` names an unknown node.
    """
    kubeflow = platform.section(config)
    _check_paths(config, kubeflow)
    _check_engine(config, kubeflow)
    with tempfile.TemporaryDirectory() as folder:
        sources = _sources(config, timestamp_unit, Path(folder))
        # Error messages need the folder's name only. Its path would be wrong in the pods, and private.
        data = config.data.model_copy(update={"schemas": Path(config.data.schemas).name})
        pipeline = create_pipeline(config.model_copy(update={"data": data}), sources, KubeflowTarget(comparison))
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=kubeflow.image,
            default_commands=[*ENTRYPOINT, "--storage", kubeflow.storage],
            # KFP's backend refuses schema 2.0, TFX's default.
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
    """Refuses engines whose workers do not see a task's files, or whose server would have to run in the pod."""
    engine = config.beam.engine
    if engine == "direct":
        return
    if engine == "flink":
        raise ConfigError("beam.engine: flink starts a job server beside the run, which a pod cannot; use portable")
    if kubeflow.storage != "direct":
        raise ConfigError(
            f"beam.engine: the workers of {engine} are outside of the pod and do not see the files that KFP copies "
            "into it; use direct, or kubeflow.storage: direct with a gs:// root"
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
