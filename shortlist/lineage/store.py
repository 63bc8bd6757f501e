"""Read-only view of a pipeline's ML Metadata store."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Container, Iterable

from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.database import SqliteDatabase, database
from shortlist.lineage.execution_reader import ExecutionReader, chunks, key_of
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.protocol import PIPELINE, PIPELINE_RUN, Database
from shortlist.records import properties
from shortlist.workspace import Workspace


class Store:
    """Reads one pipeline's runs, executions and artifacts; never writes.

    Args:
      source: The database, or the path of a sqlite file.
      root: The workspace. Paths of a workspace that was copied or moved are translated to it.

    Raises:
      BadInputError: There is no store yet, or it cannot be read.
    """

    def __init__(self, source: Database | pathlib.Path, root: pathlib.Path | None = None):
        if isinstance(source, pathlib.Path):
            source = SqliteDatabase(source)
        self._store = source.reader()
        self._pipeline = source.pipeline
        self._reader = ExecutionReader(self._store, root)

    @classmethod
    def of(cls, workspace: Workspace) -> Store:
        """Returns the store of a workspace's pipeline."""
        return cls(database(workspace), workspace.root)

    def run_ids(self) -> list[str]:
        """Returns the ids of all runs, the oldest first."""
        try:
            contexts = self._run_contexts()
        except mlmd_errors.NotFoundError:
            return []
        return [context.name for context in sorted(contexts, key=lambda context: context.id)]

    def _run_contexts(self) -> list[pb.Context]:
        if self._pipeline is None:
            return list(self._store.get_contexts_by_type(PIPELINE_RUN))
        pipeline = self._store.get_context_by_type_and_name(PIPELINE, self._pipeline)
        if pipeline is None:
            return []
        return list(self._store.get_children_contexts_by_context(pipeline.id))

    def run_executions(self, run_id: str) -> list[Execution]:
        """Returns the executions of one run, in the order of their starts."""
        try:
            context = self._store.get_context_by_type_and_name(PIPELINE_RUN, run_id)
        except mlmd_errors.NotFoundError:
            return []
        if context is None:
            return []
        # Another pipeline may have started a run in the same second, with the same id.
        return self._reader.executions(self._store.get_executions_by_context(context.id, self._scoped()))

    def executions(self) -> list[Execution]:
        """Returns all executions, also those without a run, the oldest first; thousands of them take seconds."""
        return self._reader.executions(self._store.get_executions(self._scoped()))

    def executions_of(
        self, *type_names: str, among: Container[int] | None = None, with_contexts: bool = True
    ) -> list[Execution]:
        """Returns the executions of some types, the oldest first.

        Args:
          type_names: Last parts of the types' names, without the module.
          among: Ids of executions; others are left out.
          with_contexts: Whether to read nodes and runs, which takes a second for five thousand executions. If not, both
            are empty.
        """
        types = [kind.name for kind in self._store.get_execution_types() if kind.name.rpartition(".")[2] in type_names]
        found = [proto for name in types for proto in self._of_type(name)]
        return self._reader.executions((proto for proto in found if among is None or proto.id in among), with_contexts)

    def interrupted(self) -> list[Execution]:
        """Returns the executions that are unfinished or were killed, the oldest first."""
        unfinished = self._matching("last_known_state = RUNNING OR last_known_state = NEW")
        killed = self._matching(f"custom_properties.{properties.KILLED}.string_value != ''")
        return self._reader.executions([*unfinished, *killed])

    def ingestions_of(self, sha256_prefix: str) -> list[Execution]:
        """Returns the executions that read a table whose fingerprint has this prefix, without cached ones."""
        if not re.fullmatch("[0-9a-f]{1,64}", sha256_prefix):
            return []
        # Version 0.1 recorded it in the settings of TFX's own ExampleGen. ML Metadata finds only executions with all
        # the properties in a query, so one query with OR would find neither.
        found = [
            proto
            for place in (
                f"{properties.CONTENT_SHA256}.string_value LIKE '{sha256_prefix}%'",
                f"{properties.CUSTOM_CONFIG}.string_value LIKE '%{properties.CONTENT_SHA256}%{sha256_prefix}%'",
            )
            for proto in self._matching(f"last_known_state = COMPLETE AND custom_properties.{place}")
        ]
        return [execution for execution in self._reader.executions(found) if execution.node.endswith("Gen")]

    def producer(self, artifact_id: int) -> Execution | None:
        """Returns the execution that made an artifact; an execution that found it in the cache did not make it."""
        return next(iter(self.producers([artifact_id])), None)

    def producers(self, artifact_ids: Iterable[int]) -> list[Execution]:
        """Returns the executions that made artifacts, without cached ones, the oldest first."""
        found = []
        for ids in chunks(artifact_ids):
            found += self._matching(
                "last_known_state = COMPLETE AND events_0.type = OUTPUT"
                f" AND events_0.artifact_id IN ({', '.join(map(str, ids))})"
            )
        return self._reader.executions(found)

    def consumers(self, artifact_ids: Iterable[int], not_as: re.Pattern[str]) -> set[int]:
        """Returns the ids of the executions that used artifacts, or anything made from them in any number of steps.

        Args:
          artifact_ids: The artifacts to start from.
          not_as: Pattern of input keys that do not count; it has to match the whole key.
        """
        executions: set[int] = set()
        seen = waiting = set(artifact_ids)
        while waiting:
            readers = {
                event.execution_id
                for ids in chunks(waiting)
                for event in self._store.get_events_by_artifact_ids(ids)
                if event.type == pb.Event.INPUT and not not_as.fullmatch(key_of(event))
            } - executions
            executions |= readers
            waiting = {
                event.artifact_id
                for ids in chunks(readers)
                for event in self._store.get_events_by_execution_ids(ids)
                if event.type == pb.Event.OUTPUT
            } - seen
            seen = seen | waiting
        return executions

    def artifact(self, artifact_id: int) -> Artifact | None:
        """Returns an artifact by its id."""
        found = self._store.get_artifacts(self._scoped(f"id = {int(artifact_id)}"))
        return self._reader.artifact(found[0]) if found else None

    def all_artifacts(self) -> list[Artifact]:
        """Returns all finished artifacts, the oldest first."""
        artifacts = (self._reader.artifact(proto) for proto in self._store.get_artifacts(self._scoped()))
        return sorted((artifact for artifact in artifacts if artifact.live), key=lambda artifact: artifact.id)

    def artifacts(self, type_name: str) -> list[Artifact]:
        """Returns all finished artifacts of a type, the oldest first."""
        try:
            found = self._artifacts_of_type(type_name)
        except mlmd_errors.NotFoundError:
            return []
        artifacts = (self._reader.artifact(artifact) for artifact in sorted(found, key=lambda artifact: artifact.id))
        return [artifact for artifact in artifacts if artifact.live]

    def _matching(self, query: str) -> list[pb.Execution]:
        return list(self._store.get_executions(self._scoped(query)))

    def _of_type(self, name: str) -> list[pb.Execution]:
        # A shared database needs a query that is limited to the pipeline.
        if self._pipeline is None:
            return list(self._store.get_executions_by_type(name))
        return self._matching(f"type = '{name}'")

    def _artifacts_of_type(self, name: str) -> list[pb.Artifact]:
        if self._pipeline is None:
            return list(self._store.get_artifacts_by_type(name))
        return list(self._store.get_artifacts(self._scoped(f"type = '{name}'")))

    def _scoped(self, query: str = "") -> metadata_store.ListOptions | None:
        """Returns the options of a query, limited to the pipeline's part of the database."""
        terms = []
        if query:
            terms.append(f"({query})")
        if self._pipeline is not None:
            terms += [f"contexts_p.type = '{PIPELINE}'", f"contexts_p.name = '{self._pipeline}'"]
        if not terms:
            return None
        return metadata_store.ListOptions(filter_query=" AND ".join(terms))
