"""A read-only view of an ML Metadata store, in the words of this project."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import pathlib
from collections.abc import Iterable

from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import BadInputError

Value = str | int | float


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One artifact: a folder that a node wrote, and what it said of it."""

    id: int
    type: str
    uri: str
    properties: dict[str, Value]
    live: bool = True
    """Whether it was finished; what a killed node announced is not."""


@dataclasses.dataclass(frozen=True)
class Execution:
    """One run of one node."""

    id: int
    node: str
    run_id: str
    state: str
    started: datetime.datetime
    seconds: float
    properties: dict[str, Value]
    inputs: dict[str, list[Artifact]]
    outputs: dict[str, list[Artifact]]

    def output(self, key: str) -> Artifact | None:
        """Returns the only artifact of an output, None if there is none."""
        artifacts = self.outputs.get(key, [])
        return artifacts[0] if artifacts else None


class Store:
    """Reads runs, executions and artifacts; never writes.

    Args:
      path: The sqlite file.

    Raises:
      BadInputError: There is no store yet, or none that can be read.
    """

    def __init__(self, path: pathlib.Path):
        if not path.exists():
            raise BadInputError(f"{path}: no ML Metadata store here yet; `shortlist run` makes it")
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
        try:
            self._store = metadata_store.MetadataStore(config)
        except RuntimeError as error:
            # A run that died in its first second, on a full disk say, leaves a file without tables.
            raise BadInputError(
                f"{path}: expected an ML Metadata store, got a file that is empty or damaged ({str(error)[:80]}); "
                "`shortlist run` goes on from an empty one; restore a damaged one from a copy"
            ) from None

    def run_ids(self) -> list[str]:
        """Returns the ids of all runs, oldest first."""
        try:
            contexts = self._store.get_contexts_by_type("pipeline_run")
        except mlmd_errors.NotFoundError:
            return []
        return [context.name for context in sorted(contexts, key=lambda context: context.id)]

    def run_executions(self, run_id: str) -> list[Execution]:
        """Returns the executions of one run in the order in which they started."""
        context = self._store.get_context_by_type_and_name("pipeline_run", run_id)
        if context is None:
            return []
        executions = self._store.get_executions_by_context(context.id)
        return self._executions(sorted(executions, key=lambda execution: execution.id))

    def executions(self) -> list[Execution]:
        """Returns all executions of all runs, and those of no run, oldest first."""
        return self._executions(sorted(self._store.get_executions(), key=lambda execution: execution.id))

    def producer(self, artifact_id: int) -> Execution | None:
        """Returns the execution that really made an artifact (not one that found it in the cache)."""
        events = self._store.get_events_by_artifact_ids([artifact_id])
        ids = [event.execution_id for event in events if event.type == pb.Event.OUTPUT]
        made = [e for e in self._store.get_executions_by_id(ids) if e.last_known_state == pb.Execution.COMPLETE]
        return self._executions(made[:1])[0] if made else None

    def artifacts(self, type_name: str) -> list[Artifact]:
        """Returns all finished artifacts of a type, oldest first."""
        try:
            found = self._store.get_artifacts_by_type(type_name)
        except mlmd_errors.NotFoundError:
            return []
        artifacts = (self._artifact(artifact) for artifact in sorted(found, key=lambda artifact: artifact.id))
        return [artifact for artifact in artifacts if artifact.live]

    @functools.cached_property
    def _artifact_types(self) -> dict[int, str]:
        return {artifact_type.id: artifact_type.name for artifact_type in self._store.get_artifact_types()}

    def _artifact(self, proto: pb.Artifact) -> Artifact:
        properties = {**_values(proto.properties), **_values(proto.custom_properties)}
        live = proto.state == pb.Artifact.LIVE
        return Artifact(proto.id, self._artifact_types[proto.type_id], proto.uri, properties, live)

    def _executions(self, protos: list[pb.Execution]) -> list[Execution]:
        ids = [proto.id for proto in protos]
        events = self._store.get_events_by_execution_ids(ids) if ids else []
        artifact_ids = sorted({event.artifact_id for event in events})
        found = self._store.get_artifacts_by_id(artifact_ids) if artifact_ids else []
        artifacts = {proto.id: self._artifact(proto) for proto in found}
        return [
            self._execution(proto, [e for e in events if e.execution_id == proto.id], artifacts) for proto in protos
        ]

    def _execution(self, proto: pb.Execution, events: list[pb.Event], artifacts: dict[int, Artifact]) -> Execution:
        node, run_id = "", ""
        for context in self._store.get_contexts_by_execution(proto.id):
            if context.type == "node":
                # The node context is called `<pipeline>.<node>`.
                node = context.name.rpartition(".")[2]
            elif context.type == "pipeline_run":
                run_id = context.name
        started, ended = proto.create_time_since_epoch, proto.last_update_time_since_epoch
        return Execution(
            id=proto.id,
            node=node,
            run_id=run_id,
            state=pb.Execution.State.Name(proto.last_known_state),
            started=datetime.datetime.fromtimestamp(started / 1000, datetime.timezone.utc),
            seconds=(ended - started) / 1000,
            properties={**_values(proto.properties), **_values(proto.custom_properties)},
            inputs=_by_key(events, artifacts, {pb.Event.INPUT}),
            outputs=_by_key(events, artifacts, {pb.Event.OUTPUT}),
        )


def _by_key(events: Iterable[pb.Event], artifacts: dict[int, Artifact], kinds: set[int]) -> dict[str, list[Artifact]]:
    result: dict[str, list[Artifact]] = {}
    for event in events:
        if event.type in kinds:
            key = next((step.key for step in event.path.steps if step.HasField("key")), "")
            result.setdefault(key, []).append(artifacts[event.artifact_id])
    return result


def _values(properties: object) -> dict[str, Value]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in properties.items()  # type: ignore[attr-defined]
        if value.WhichOneof("value") in ("string_value", "int_value", "double_value")
    }
