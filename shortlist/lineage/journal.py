"""Writes to ML Metadata what no pipeline run writes: steps that a person took, and the end of what died."""

from __future__ import annotations

import contextlib
import datetime
import getpass
import os
import pathlib
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.database import database
from shortlist.lineage.store import Artifact, Value
from shortlist.records import properties
from shortlist.workspace import Workspace

_UNFINISHED = (pb.Execution.NEW, pb.Execution.RUNNING)
_DELETED = ".deleted-"


class Journal:
    """Writes to the lineage of a pipeline whose workspace has ML Metadata already; the caller holds the workspace."""

    def __init__(self, workspace: Workspace):
        self._store = database(workspace).writer()
        self._pipeline = workspace.name
        self._pipeline_root = workspace.pipeline_root

    @contextlib.contextmanager
    def step(
        self, node: str, inputs: Mapping[str, Sequence[Artifact]], properties: Mapping[str, Value]
    ) -> Iterator[JournalStep]:
        """Records one step as an execution: complete once its body is left, failed if it is left by an exception.

        A step that announced a push and raised after the model arrived is complete all the same; one that failed loses
        its output folders.

        Args:
          node: Name of the step, which is the execution's type, too.
          inputs: Artifacts by key.
          properties: What is to be known of the step.
        """
        step = JournalStep(self._store, self._begin(node, inputs, properties))
        try:
            yield step
        except BaseException as error:
            # What ML Metadata cannot take just now, on a full disk say, the next command finds and buries.
            with contextlib.suppress(mlmd_errors.StatusError):
                if not step.settle(f"{type(error).__name__}: {error}"):
                    self._delete_outputs(node, step.id)
            raise
        step.complete()

    def close_abandoned(self, why: str = "its process died") -> list[str]:
        """Ends what earlier commands left unfinished and deletes what it had written; returns the nodes' names.

        Nobody else may be at work. An execution whose push arrived becomes complete; every other one becomes failed,
        says that it was killed, and loses its output folders, `<node>/<key>/<execution id>`, unless a finished
        artifact stands there.

        Args:
          why: What the executions say of their end.
        """
        closed = []
        for execution in self._executions():
            unfinished = execution.last_known_state in _UNFINISHED
            if not unfinished and properties.KILLED not in execution.custom_properties:
                continue
            node = self._node(execution.id)
            if unfinished:
                closed.append(node)
                if JournalStep(self._store, execution).settle(f"{why}, found {_now()}", properties.KILLED):
                    continue
            # What could not be deleted when it was found is tried again.
            self._delete_outputs(node, execution.id)
        return closed

    def delete(self, artifacts: Iterable[Artifact]) -> list[str]:
        """Deletes artifacts' folders and records that; returns those that resisted, which the next call tries again.

        The records stay. Cut off at any moment, each folder is whole or gone for whoever looks for it by its name.

        Args:
          artifacts: Finished ones; nobody may need them any more.
        """
        self._sweep()
        protos = self._store.get_artifacts_by_id(sorted(artifact.id for artifact in artifacts))
        self._put(protos, pb.Artifact.MARKED_FOR_DELETION)
        resisted = []
        for proto in protos:
            folder = pathlib.Path(proto.uri)
            try:
                if folder.exists():
                    folder.rename(folder.with_name(f"{_DELETED}{folder.name}"))
            except OSError as error:
                resisted.append(f"{folder}: {error.strerror}")
        self._put([proto for proto in protos if not os.path.isdir(proto.uri)], pb.Artifact.DELETED)
        self._sweep()
        return resisted

    def _put(self, protos: Sequence[pb.Artifact], state: int) -> None:
        for proto in protos:
            proto.state = state
        if protos:
            self._store.put_artifacts(protos)

    def _sweep(self) -> None:
        for folder in self._pipeline_root.glob(f"*/*/{_DELETED}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def output_folder(self, node: str, key: str, execution_id: int) -> pathlib.Path:
        """Returns where an execution's output goes, by TFX's custom."""
        return self._pipeline_root / node / key / str(execution_id)

    def _delete_outputs(self, node: str, execution_id: int) -> None:
        root = self._pipeline_root / node
        folders = {
            *root.glob(f"[!.]*/{execution_id}"),
            *root.glob(f".system/executor_execution/{execution_id}"),
        }
        kept = {artifact.uri for artifact in self._store.get_artifacts() if artifact.state == pb.Artifact.LIVE}
        for folder in folders:
            if not any(pathlib.Path(uri) == folder or folder in pathlib.Path(uri).parents for uri in kept):
                shutil.rmtree(folder, ignore_errors=True)

    def _begin(
        self, node: str, inputs: Mapping[str, Sequence[Artifact]], properties: Mapping[str, Value]
    ) -> pb.Execution:
        type_id = self._store.put_execution_type(pb.ExecutionType(name=node), can_add_fields=True, can_omit_fields=True)
        execution = pb.Execution(type_id=type_id, last_known_state=pb.Execution.RUNNING)
        _set(execution.custom_properties, properties)
        stored = self._store.get_artifacts_by_id(
            sorted({artifact.id for artifacts in inputs.values() for artifact in artifacts})
        )
        by_id = {artifact.id: artifact for artifact in stored}
        pairs = [
            (by_id[artifact.id], _event(pb.Event.INPUT, key, index))
            for key, artifacts in inputs.items()
            for index, artifact in enumerate(artifacts)
        ]
        contexts = [self._context("pipeline", self._pipeline), self._context("node", f"{self._pipeline}.{node}")]
        execution.id, _, _ = self._store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        return execution

    def _context(self, type_name: str, name: str) -> pb.Context:
        found = self._store.get_context_by_type_and_name(type_name, name)
        return found or pb.Context(type_id=self._store.get_context_type(type_name).id, name=name)

    def _executions(self) -> list[pb.Execution]:
        try:
            context = self._store.get_context_by_type_and_name("pipeline", self._pipeline)
        except mlmd_errors.NotFoundError:
            return []
        return self._store.get_executions_by_context(context.id) if context else []

    def _node(self, execution_id: int) -> str:
        contexts = self._store.get_contexts_by_execution(execution_id)
        name: str = next(context.name for context in contexts if context.type == "node")
        return name.removeprefix(f"{self._pipeline}.")


class JournalStep:
    """An execution under way."""

    def __init__(self, store: metadata_store.MetadataStore, execution: pb.Execution):
        self._store = store
        self._execution = execution

    @property
    def id(self) -> int:
        """The execution's id, by which its output folders are named."""
        return int(self._execution.id)

    def add(self, properties: Mapping[str, Value]) -> None:
        """Adds to what is to be known of the step."""
        _set(self._execution.custom_properties, properties)

    def announce(self, key: str, type_name: str, uri: str, properties: Mapping[str, Value]) -> None:
        """Records an output that is about to be there; it counts once the step is complete."""
        artifact = pb.Artifact(type_id=self._store.get_artifact_type(type_name).id, uri=uri, state=pb.Artifact.PENDING)
        _set(artifact.custom_properties, properties)
        contexts = self._store.get_contexts_by_execution(self.id)
        self._store.put_execution(self._execution, [(artifact, _event(pb.Event.PENDING_OUTPUT, key, 0))], contexts)

    def complete(self) -> None:
        """Makes the announced outputs count."""
        self._finish(pb.Execution.COMPLETE, pb.Artifact.LIVE)

    def settle(self, why: str, property_name: str = properties.ERROR) -> bool:
        """Ends a step that was cut off and returns whether it is complete: its push arrived.

        Args:
          why: What happened.
          property_name: Under which name the execution keeps that.
        """
        destinations = [
            artifact.custom_properties[properties.PUSHED_DESTINATION].string_value
            for artifact, _ in self._announced()
            if properties.PUSHED_DESTINATION in artifact.custom_properties
        ]
        if destinations and all(map(os.path.isdir, destinations)):
            self.complete()
            return True
        _set(self._execution.custom_properties, {property_name: why})
        self._finish(pb.Execution.FAILED, pb.Artifact.ABANDONED)
        return False

    def _finish(self, state: int, artifact_state: int) -> None:
        self._execution.last_known_state = state
        pairs = []
        for artifact, event in self._announced():
            artifact.state = artifact_state
            live = artifact_state == pb.Artifact.LIVE
            pairs.append((artifact, pb.Event(type=pb.Event.OUTPUT, path=event.path) if live else None))
        self._store.put_execution(self._execution, pairs, [])

    def _announced(self) -> list[tuple[pb.Artifact, pb.Event]]:
        events = {
            event.artifact_id: event
            for event in self._store.get_events_by_execution_ids([self.id])
            if event.type == pb.Event.PENDING_OUTPUT
        }
        artifacts = self._store.get_artifacts_by_id(sorted(events)) if events else []
        return [(artifact, events[artifact.id]) for artifact in artifacts]


def user_at_host() -> str:
    """Returns the user and host that take a step."""
    try:
        user = getpass.getuser()
    except KeyError:
        # A container's user id without a name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _event(kind: int, key: str, index: int) -> pb.Event:
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


def _set(into: object, properties: Mapping[str, Value]) -> None:
    for name, value in properties.items():
        kind = "string_value" if isinstance(value, str) else "int_value" if isinstance(value, int) else "double_value"
        setattr(into[name], kind, value)  # type: ignore[index]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(sep=" ", timespec="seconds")
