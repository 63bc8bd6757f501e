"""A read-only view of a cluster's ML Metadata: runs of a pipeline, their tasks, and what came out."""

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
        """Whether its outputs can be used."""
        return self.state in ("COMPLETE", "CACHED")


@dataclasses.dataclass(frozen=True)
class ClusterRun:
    """One run: what it was told, and its tasks by name."""

    run_id: str
    parameters: dict[str, Any]
    tasks: dict[str, ClusterTask]

    def output(self, task: str, key: str) -> ClusterArtifact | None:
        """Returns an artifact, None where the task has not got that far."""
        found = self.tasks.get(task)
        return found.outputs.get(key) if found is not None and found.finished else None


def connect(address: str) -> metadata_store.MetadataStore:
    """Returns the store behind a gRPC address, `localhost:8080` after `kubectl port-forward`.

    Raises:
      BadInputError: Nothing answers there within some seconds.
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
    """Reads; never writes.

    Args:
      store: A cluster's ML Metadata, or that of a rehearsal.
    """

    def __init__(self, store: metadata_store.MetadataStore):
        self._store = store

    def run(self, run_id: str) -> ClusterRun | None:
        """Returns a run, None where there is no such."""
        context = self._context(layout.RUN, run_id)
        return None if context is None else self._run(context)

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
        told: dict[str, Any] = {}
        tasks: dict[str, ClusterTask] = {}
        for execution in executions:
            properties = execution.custom_properties
            parameters = _struct(properties, layout.INPUTS)
            if layout.TASK_NAME not in properties or not properties[layout.TASK_NAME].string_value:
                told = parameters
                continue
            name = properties[layout.TASK_NAME].string_value
            state = pb.Execution.State.Name(execution.last_known_state)
            tasks[name] = ClusterTask(execution.id, name, state, parameters, outputs[execution.id])
        return ClusterRun(context.name, told, tasks)

    def _outputs(self, execution_ids: list[int]) -> dict[int, dict[str, ClusterArtifact]]:
        events = [
            event
            for event in (self._store.get_events_by_execution_ids(execution_ids) if execution_ids else [])
            if event.type == pb.Event.OUTPUT
        ]
        ids = sorted({event.artifact_id for event in events})
        artifacts = {proto.id: _artifact(proto) for proto in (self._store.get_artifacts_by_id(ids) if ids else [])}
        outputs: dict[int, dict[str, ClusterArtifact]] = collections.defaultdict(dict)
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
