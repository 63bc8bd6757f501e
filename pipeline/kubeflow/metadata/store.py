"""A read-only view of a cluster's ML Metadata: runs of a pipeline, their tasks and artifacts."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from ml_metadata import errors, metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.metadata import layout
from shortlist.errors import BadInputError

_FINISHED = (pb.Execution.COMPLETE, pb.Execution.CACHED)
_TIMEOUT_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class ClusterArtifact:
    """One artifact."""

    id: int
    type: str
    uri: str
    properties: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ClusterTask:
    """One task of a run."""

    id: int
    name: str
    state: str
    parameters: dict[str, Any]
    outputs: dict[str, ClusterArtifact]

    @property
    def finished(self) -> bool:
        """Whether the task succeeded or came from the cache, so that its outputs can be used."""
        return self.state in ("COMPLETE", "CACHED")


@dataclasses.dataclass(frozen=True)
class ClusterRun:
    """One run: its parameters, and its tasks by name."""

    run_id: str
    parameters: dict[str, Any]
    tasks: dict[str, ClusterTask]

    def output(self, task: str, key: str) -> ClusterArtifact | None:
        """Returns an output of a task, None if the task has not finished."""
        found = self.tasks.get(task)
        if found is None or not found.finished:
            return None
        return found.outputs.get(key)


def connect(address: str) -> metadata_store.MetadataStore:
    """Returns the store behind a gRPC address, `localhost:8080` after `kubectl port-forward`.

    Raises:
      BadInputError: No server answers at the address within 20 seconds.
    """
    host, _, port = address.rpartition(":")
    config = pb.MetadataStoreClientConfig(host=host, port=int(port), client_timeout_sec=_TIMEOUT_SECONDS)
    store = metadata_store.MetadataStore(config)
    try:
        store.get_context_types()
    except (errors.StatusError, RuntimeError) as error:
        raise BadInputError.from_parts(
            "kubeflow.metadata",
            f"ML Metadata at {address}",
            type(error).__name__,
            "forward it with `kubectl port-forward -n kubeflow svc/metadata-grpc-service 8080` and name localhost:8080",
        ) from None
    return store


class ClusterStore:
    """Reads runs; never writes.

    Args:
      store: ML Metadata of a cluster or of local KFP runs.
    """

    def __init__(self, store: metadata_store.MetadataStore):
        self._store = store

    def run(self, run_id: str) -> ClusterRun | None:
        """Returns a run, None if ML Metadata does not have it."""
        context = self._context(layout.RUN, run_id)
        if context is None:
            return None
        return self._run(context)

    def runs(self, pipeline: str) -> Iterable[ClusterRun]:
        """Yields the runs of a pipeline, the latest first."""
        context = self._context(layout.PIPELINE, pipeline)
        if context is None:
            return
        children = self._store.get_children_contexts_by_context(context.id)
        for child in sorted(children, key=lambda child: child.id, reverse=True):
            yield self._run(child)

    def _context(self, kind: str, name: str) -> pb.Context | None:
        try:
            return self._store.get_context_by_type_and_name(kind, name)
        except errors.NotFoundError:
            return None

    def _run(self, context: pb.Context) -> ClusterRun:
        executions = sorted(self._store.get_executions_by_context(context.id), key=lambda execution: execution.id)
        outputs = self._outputs([execution.id for execution in executions])
        run_parameters: dict[str, Any] = {}
        tasks: dict[str, ClusterTask] = {}
        for execution in executions:
            properties = execution.custom_properties
            parameters = _struct(properties, layout.INPUTS)
            # The execution without a task's name is that of the root DAG.
            if layout.TASK_NAME not in properties or not properties[layout.TASK_NAME].string_value:
                run_parameters = parameters
                continue
            name = properties[layout.TASK_NAME].string_value
            state = pb.Execution.State.Name(execution.last_known_state)
            tasks[name] = ClusterTask(execution.id, name, state, parameters, outputs[execution.id])
        return ClusterRun(context.name, run_parameters, tasks)

    def _outputs(self, execution_ids: list[int]) -> dict[int, dict[str, ClusterArtifact]]:
        outputs: dict[int, dict[str, ClusterArtifact]] = collections.defaultdict(dict)
        if not execution_ids:
            return outputs
        events = self._store.get_events_by_execution_ids(execution_ids)
        events = [event for event in events if event.type == pb.Event.OUTPUT]
        if not events:
            return outputs
        protos = self._store.get_artifacts_by_id(sorted({event.artifact_id for event in events}))
        artifacts = {proto.id: _artifact(proto) for proto in protos}
        for event in events:
            outputs[event.execution_id][event.path.steps[0].key] = artifacts[event.artifact_id]
        return outputs


def _artifact(proto: pb.Artifact) -> ClusterArtifact:
    values = {**proto.properties, **proto.custom_properties}
    plain = {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}
    return ClusterArtifact(proto.id, proto.type, proto.uri, plain)


def _struct(properties: Any, key: str) -> dict[str, Any]:
    if key not in properties:
        return {}
    return dict(json_format.MessageToDict(properties[key].struct_value))
