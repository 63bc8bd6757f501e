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
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.errors import StoreError
from shortlist.lineage import relocation
from shortlist.lineage.database import database
from shortlist.lineage.executions import Artifact, Value
from shortlist.lineage.journal_step import JournalStep, event_of, set_values
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
        set_values(execution.custom_properties, properties)
        stored = self._store.get_artifacts_by_id(
            sorted({artifact.id for artifacts in inputs.values() for artifact in artifacts})
        )
        by_id = {artifact.id: artifact for artifact in stored}
        pairs = [
            (by_id[artifact.id], event_of(pb.Event.INPUT, key, index))
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


def user_at_host() -> str:
    """Returns the current user and host as `user@host`."""
    try:
        user = getpass.getuser()
    except KeyError:
        # In a container the user id may have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(sep=" ", timespec="seconds")
