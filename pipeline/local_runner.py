"""Runs the DAG on one machine and notifies a listener before and after each node."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
from collections.abc import Iterator
from typing import Protocol, TypeAlias

from ml_metadata import errors as mlmd_errors
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import runtime_parameter_utils, tfx_runner
from tfx.orchestration.portable.mlmd import common_utils, context_lib
from tfx.proto.orchestration import local_deployment_config_pb2, pipeline_pb2

from pipeline.node_launcher import NodeLauncher
from shortlist.lineage.client import open_store

_Type: TypeAlias = metadata_store_pb2.ArtifactType | metadata_store_pb2.ContextType | metadata_store_pb2.ExecutionType


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """Result of one node."""

    node_id: str
    seconds: float
    cached: bool


class RunListener(Protocol):
    """Receives an event before and after each node."""

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Called before node `index` (from 1) of `total` starts."""

    def node_finished(self, result: NodeResult) -> None:
        """Called after a node succeeded."""

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Called after a node raised; the exception then propagates."""


# As in TFX's own handle.
_CONNECTION_TRIES = 10


class _Metadata(metadata.Metadata):
    """TFX's handle of ML Metadata, with Shortlist's client and TFX's number of connection attempts."""

    def __enter__(self) -> _Metadata:
        for remaining in reversed(range(_CONNECTION_TRIES)):
            try:
                self._store = open_store(self._connection_config)
                break
            except RuntimeError:
                if not remaining:
                    raise
                time.sleep(random.random())  # noqa: S311
        self._users += 1
        return self


class LocalRunner(tfx_runner.IrBasedRunner):
    """TFX's LocalDagRunner with a given run id and a listener.

    `tfx.orchestration.LocalDagRunner` does not report when a node starts or whether its result came from the cache.
    The loop here is otherwise the same.

    Args:
      run_id: The run's id in ML Metadata.
      listener: Receives the events of each node.
      connection: Connection to ML Metadata. It is not part of the pipeline: it may hold a password, and the pipeline
        is compiled and logged.

    Attributes:
      warnings: A sentence per damaged artifact in the cache, whose node ran again.
    """

    def __init__(self, run_id: str, listener: RunListener, connection: metadata_store_pb2.ConnectionConfig):
        self._run_id = run_id
        self._listener = listener
        self._connection = connection
        self.warnings: list[str] = []

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs every node in topological order. An exception of a node propagates to the caller."""
        if run_options is not None:
            raise ValueError("partial runs are not supported; unchanged nodes come from the cache")
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        _register_types(pipeline, self._connection)
        for index, node in enumerate(pipeline.nodes, start=1):
            node_id = node.pipeline_node.node_info.id
            self._listener.node_started(node_id, index, len(pipeline.nodes))
            with self._report_failure(node_id):
                result = self._launch(pipeline, node.pipeline_node, deployment)
            self._listener.node_finished(result)

    def _launch(
        self,
        pipeline: pipeline_pb2.Pipeline,
        node: pipeline_pb2.PipelineNode,
        deployment: local_deployment_config_pb2.LocalDeploymentConfig,
    ) -> NodeResult:
        node_id = node.node_info.id
        start = time.monotonic()
        node_launcher = NodeLauncher(
            pipeline_node=node,
            mlmd_connection=_Metadata(self._connection),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=pipeline.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        )
        try:
            execution_info = node_launcher.launch()
        finally:
            self.warnings += node_launcher.warnings
        seconds = time.monotonic() - start
        return NodeResult(node_id, seconds, _was_cached(self._connection, execution_info))

    @contextlib.contextmanager
    def _report_failure(self, node_id: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        except BaseException:
            self._listener.node_failed(node_id, time.monotonic() - start)
            raise


def _register_types(pipeline: pipeline_pb2.Pipeline, connection: metadata_store_pb2.ConnectionConfig) -> None:
    """Registers all types of the pipeline's nodes before the first node starts.

    TFX's own registration fails if another pipeline registers the same type at the same moment.
    """
    kinds: list[_Type] = [metadata_store_pb2.ContextType(name=context_lib.CONTEXT_TYPE_EXECUTION_CACHE)]
    for node in (node.pipeline_node for node in pipeline.nodes):
        kinds += [node.node_info.type, *(context.type for context in node.contexts.contexts)]
        kinds += [output.artifact_spec.type for output in node.outputs.outputs.values()]
        kinds += [channel.artifact_query.type for key in node.inputs.inputs.values() for channel in key.channels]
    distinct = {f"{type(kind).__name__} {kind}": kind for kind in kinds if kind.name}
    with _Metadata(connection) as handle:
        for kind in distinct.values():
            _register_type(handle, kind)


def _register_type(handle: metadata.Metadata, kind: _Type) -> None:
    for is_last in (False, True):
        try:
            common_utils.register_type_if_not_exist(handle, kind)
            return
        except (RuntimeError, mlmd_errors.StatusError):
            # The second attempt finds the type that the other pipeline registered.
            if is_last:
                raise


def _was_cached(connection: metadata_store_pb2.ConnectionConfig, execution_info: object) -> bool:
    execution_id = getattr(execution_info, "execution_id", None)
    if execution_id is None:
        return False
    with _Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
    return execution.last_known_state == metadata_store_pb2.Execution.CACHED
