"""Records of manual commands in ML Metadata, closing of abandoned executions, and deletion of artifacts."""

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

from shortlist.errors import StoreError
from shortlist.lineage import relocation
from shortlist.lineage.database import database
from shortlist.lineage.executions import Artifact, Value
from shortlist.lineage.protocol import PIPELINE_RUN
from shortlist.records import properties
from shortlist.workspace import Workspace

_UNFINISHED = (pb.Execution.NEW, pb.Execution.RUNNING)
_DELETED = ".deleted-"


class Journal:
    """Writes to an existing ML Metadata store of a pipeline; the caller holds the workspace's lock.

    In a workspace that was copied or moved, it first stores the artifacts' new locations, see `relocation`.
    """

    def __init__(self, workspace: Workspace):
        self._store = database(workspace).writer()
        self._pipeline = workspace.name
        self._pipeline_root = workspace.pipeline_root
        relocation.adopt(self._store, self._artifacts(workspace), workspace.root)

    @contextlib.contextmanager
    def step(
        self, node: str, inputs: Mapping[str, Sequence[Artifact]], properties: Mapping[str, Value]
    ) -> Iterator[JournalStep]:
        """Records one step as an execution: complete after its body, or failed after an exception.

        A step that announced a push is also complete if an exception came after the model was pushed. The output
        folders of a failed step are deleted.

        Args:
          node: Name of the step, which is also the execution's type.
          inputs: Artifacts by key.
          properties: Properties of the execution.
        """
        step = JournalStep(self._store, self._begin(node, inputs, properties))
        try:
            yield step
        except BaseException as error:
            # If ML Metadata cannot be written, for example on a full disk, the next command closes the execution.
            with contextlib.suppress(mlmd_errors.StatusError, StoreError):
                if not step.close(f"{type(error).__name__}: {error}"):
                    self._delete_outputs(node, step.id)
            raise
        step.complete()

    def close_abandoned(self, why: str = "its process died") -> list[str]:
        """Closes executions that earlier commands left unfinished, deletes their outputs, and returns their nodes.

        No other command may be running. An execution whose push is complete becomes complete. All others become failed
        and get the property `killed`. Their output folders, `<node>/<key>/<execution id>`, are deleted unless a
        finished artifact is there.

        Args:
          why: Reason to record in the executions.
        """
        closed = []
        for execution in self._executions():
            unfinished = execution.last_known_state in _UNFINISHED
            if not unfinished and properties.KILLED not in execution.custom_properties:
                continue
            node = self._node(execution.id)
            if unfinished:
                closed.append(node)
                if JournalStep(self._store, execution).close(f"{why}, found {_now()}", properties.KILLED):
                    continue
            # Folders that could not be deleted earlier are tried again.
            self._delete_outputs(node, execution.id)
        return closed

    def mark_stopped(self, run_id: str, why: str) -> None:
        """Records that a run's last execution was stopped, if a library turned the stop into a failure.

        Args:
          run_id: The run.
          why: Reason to record in the execution.
        """
        try:
            context = self._store.get_context_by_type_and_name(PIPELINE_RUN, run_id)
        except mlmd_errors.NotFoundError:
            return
        ids = {each.id for each in self._store.get_executions_by_context(context.id)} if context is not None else set()
        # Another pipeline may have started a run in the same second, with the same id.
        own = [execution for execution in self._executions() if execution.id in ids]
        last = max(own, key=lambda execution: execution.id, default=None)
        if last is None or last.last_known_state != pb.Execution.FAILED:
            return
        if properties.KILLED not in last.custom_properties:
            JournalStep(self._store, last).close(f"{why}, found {_now()}", properties.KILLED)

    def delete(self, artifacts: Iterable[Artifact]) -> list[str]:
        """Deletes artifacts' folders and marks the artifacts as deleted.

        The records stay, and the next call tries the failed folders again. If the process dies, each folder is either
        complete under its name or absent.

        Args:
          artifacts: Finished artifacts that are not needed any more.

        Returns:
          A sentence per failed folder, with the reason.
        """
        self._sweep()
        protos = self._store.get_artifacts_by_id(sorted(artifact.id for artifact in artifacts))
        # The mark comes first: TFX's cache and resolvers use only live artifacts, even if the deletion is interrupted.
        self._put(protos, pb.Artifact.MARKED_FOR_DELETION)
        failures = []
        for proto in protos:
            folder = pathlib.Path(proto.uri)
            # Resolved, because the workspace may be reached by a link.
            if self._pipeline_root.resolve() not in folder.resolve().parents:
                failures.append(f"{folder}: not in {self._pipeline_root}")
                continue
            try:
                # A rename is atomic; the deletion of a large folder is not.
                if folder.exists():
                    folder.rename(folder.with_name(f"{_DELETED}{folder.name}"))
            except OSError as error:
                failures.append(f"{folder}: {error.strerror}")
        self._put([proto for proto in protos if not os.path.isdir(proto.uri)], pb.Artifact.DELETED)
        self._sweep()
        return failures

    def _put(self, protos: Sequence[pb.Artifact], state: int) -> None:
        for proto in protos:
            proto.state = state
        if protos:
            self._store.put_artifacts(protos)

    def _sweep(self) -> None:
        for folder in self._pipeline_root.glob(f"*/*/{_DELETED}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def output_folder(self, node: str, key: str, execution_id: int) -> pathlib.Path:
        """Returns the folder of an execution's output, in TFX's layout."""
        return self._pipeline_root / node / key / str(execution_id)

    def _delete_outputs(self, node: str, execution_id: int) -> None:
        root = self._pipeline_root / node
        # TFX writes outputs to `<key>/<id>`, and an executor's result to `.system/executor_execution/<id>`.
        folders = {
            *root.glob(f"[!.]*/{execution_id}"),
            *root.glob(f".system/executor_execution/{execution_id}"),
        }
        live = {artifact.uri for artifact in self._store.get_artifacts() if artifact.state == pb.Artifact.LIVE}
        for folder in folders:
            if not any(pathlib.Path(uri) == folder or folder in pathlib.Path(uri).parents for uri in live):
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
        context = self._pipeline_context()
        if context is None:
            return []
        executions: list[pb.Execution] = self._store.get_executions_by_context(context.id)
        return executions

    def _artifacts(self, workspace: Workspace) -> list[pb.Artifact]:
        """Returns the artifacts of the pipeline, to which a sqlite file belongs as a whole."""
        if workspace.metadata_server is None:
            return list(self._store.get_artifacts())
        context = self._pipeline_context()
        if context is None:
            return []
        artifacts: list[pb.Artifact] = self._store.get_artifacts_by_context(context.id)
        return artifacts

    def _pipeline_context(self) -> pb.Context | None:
        try:
            return self._store.get_context_by_type_and_name("pipeline", self._pipeline)
        except mlmd_errors.NotFoundError:
            return None

    def _node(self, execution_id: int) -> str:
        contexts = self._store.get_contexts_by_execution(execution_id)
        name: str = next(context.name for context in contexts if context.type == "node")
        return name.removeprefix(f"{self._pipeline}.")


class JournalStep:
    """A running execution."""

    def __init__(self, store: metadata_store.MetadataStore, execution: pb.Execution):
        self._store = store
        self._execution = execution

    @property
    def id(self) -> int:
        """The execution's id, by which its output folders are named."""
        return int(self._execution.id)

    def add(self, properties: Mapping[str, Value]) -> None:
        """Adds properties to the execution."""
        _set(self._execution.custom_properties, properties)

    def announce(self, key: str, type_name: str, uri: str, properties: Mapping[str, Value]) -> None:
        """Records an output before it is written; it is an output of the execution once the step is complete."""
        artifact = pb.Artifact(type_id=self._store.get_artifact_type(type_name).id, uri=uri, state=pb.Artifact.PENDING)
        _set(artifact.custom_properties, properties)
        contexts = self._store.get_contexts_by_execution(self.id)
        self._store.put_execution(self._execution, [(artifact, _event(pb.Event.PENDING_OUTPUT, key, 0))], contexts)

    def complete(self) -> None:
        """Completes the execution with the announced outputs."""
        self._finish(pb.Execution.COMPLETE, pb.Artifact.LIVE)

    def close(self, why: str, property_name: str = properties.ERROR) -> bool:
        """Closes an interrupted step and returns whether it is complete, which it is if its push is in place.

        Args:
          why: Reason to record if it is not complete.
          property_name: Name of the property with the reason.
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
        pairs: list[tuple[pb.Artifact, pb.Event | None]] = []
        for artifact, announcement in self._announced():
            artifact.state = artifact_state
            event = None
            if artifact_state == pb.Artifact.LIVE:
                event = pb.Event(type=pb.Event.OUTPUT, path=announcement.path)
            pairs.append((artifact, event))
        self._store.put_execution(self._execution, pairs, [])

    def _announced(self) -> list[tuple[pb.Artifact, pb.Event]]:
        events = {
            event.artifact_id: event
            for event in self._store.get_events_by_execution_ids([self.id])
            if event.type == pb.Event.PENDING_OUTPUT
        }
        if not events:
            return []
        artifacts = self._store.get_artifacts_by_id(sorted(events))
        return [(artifact, events[artifact.id]) for artifact in artifacts]


def user_at_host() -> str:
    """Returns the current user and host as `user@host`."""
    try:
        user = getpass.getuser()
    except KeyError:
        # In a container the user id may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _event(kind: int, key: str, index: int) -> pb.Event:
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


_VALUE_FIELDS = {str: "string_value", int: "int_value", float: "double_value"}


def _set(into: object, properties: Mapping[str, Value]) -> None:
    for name, value in properties.items():
        field = next(field for kind, field in _VALUE_FIELDS.items() if isinstance(value, kind))
        setattr(into[name], field, value)  # type: ignore[index]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(sep=" ", timespec="seconds")
