"""Read-only view of a pipeline's ML Metadata store."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import pathlib
import re
from collections.abc import Container, Iterable, Iterator, Sequence

from ml_metadata import errors as mlmd_errors
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage import relocation
from shortlist.lineage.database import SqliteDatabase, database
from shortlist.lineage.protocol import PIPELINE, PIPELINE_RUN, Database
from shortlist.records import properties
from shortlist.workspace import Workspace

Value = str | int | float

_FINISHED_ARTIFACT = (pb.Artifact.LIVE, pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.DELETED)
_DELETED_ARTIFACT = (pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.DELETED)
# The time of one call grows with the square of its number of ids, which matters for tens of thousands.
_MAX_IDS = 1000
# Limit of ML Metadata for the nodes in one call.
_MAX_IN_SUBGRAPH = 100


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One artifact: a folder that a node wrote, with its properties."""

    id: int
    type: str
    uri: str
    properties: dict[str, Value]
    live: bool = True
    """Whether it is finished; an output that a killed node announced is not."""
    deleted: bool = False
    """Whether `shortlist runs prune` deleted its files, or a run found them damaged."""


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution of one node."""

    id: int
    node: str
    run_id: str
    state: str
    started: datetime.datetime
    seconds: float
    properties: dict[str, Value]
    inputs: dict[str, list[Artifact]]
    outputs: dict[str, list[Artifact]]

    @property
    def ended(self) -> datetime.datetime:
        """Time of its last update in ML Metadata."""
        return self.started + datetime.timedelta(seconds=self.seconds)

    @property
    def unfinished(self) -> bool:
        """Whether it has no recorded end: it is running, or its process died."""
        return self.state in ("NEW", "RUNNING")

    def output(self, key: str) -> Artifact | None:
        """Returns the artifact of an output with one artifact; None if there is none."""
        return next(iter(self.outputs.get(key, [])), None)


def output_of(execution: Execution | None, key: str) -> Artifact | None:
    """Returns the artifact of an output; None if the execution or the artifact is absent."""
    return execution.output(key) if execution else None


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
        self._root = root

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
        return self._executions(self._store.get_executions_by_context(context.id, self._scoped()))

    def executions(self) -> list[Execution]:
        """Returns all executions, also those without a run, the oldest first; thousands of them take seconds."""
        return self._executions(self._store.get_executions(self._scoped()))

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
        return self._executions((proto for proto in found if among is None or proto.id in among), with_contexts)

    def interrupted(self) -> list[Execution]:
        """Returns the executions that are unfinished or were killed, the oldest first."""
        unfinished = self._matching("last_known_state = RUNNING OR last_known_state = NEW")
        killed = self._matching(f"custom_properties.{properties.KILLED}.string_value != ''")
        return self._executions([*unfinished, *killed])

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
        return [execution for execution in self._executions(found) if execution.node.endswith("Gen")]

    def producer(self, artifact_id: int) -> Execution | None:
        """Returns the execution that made an artifact; an execution that found it in the cache did not make it."""
        return next(iter(self.producers([artifact_id])), None)

    def producers(self, artifact_ids: Iterable[int]) -> list[Execution]:
        """Returns the executions that made artifacts, without cached ones, the oldest first."""
        found = []
        for ids in _chunks(artifact_ids):
            found += self._matching(
                "last_known_state = COMPLETE AND events_0.type = OUTPUT"
                f" AND events_0.artifact_id IN ({', '.join(map(str, ids))})"
            )
        return self._executions(found)

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
                for ids in _chunks(waiting)
                for event in self._store.get_events_by_artifact_ids(ids)
                if event.type == pb.Event.INPUT and not not_as.fullmatch(_key(event))
            } - executions
            executions |= readers
            waiting = {
                event.artifact_id
                for ids in _chunks(readers)
                for event in self._store.get_events_by_execution_ids(ids)
                if event.type == pb.Event.OUTPUT
            } - seen
            seen = seen | waiting
        return executions

    def artifact(self, artifact_id: int) -> Artifact | None:
        """Returns an artifact by its id."""
        found = self._store.get_artifacts(self._scoped(f"id = {int(artifact_id)}"))
        return self._artifact(found[0]) if found else None

    def all_artifacts(self) -> list[Artifact]:
        """Returns all finished artifacts, the oldest first."""
        artifacts = (self._artifact(proto) for proto in self._store.get_artifacts(self._scoped()))
        return sorted((artifact for artifact in artifacts if artifact.live), key=lambda artifact: artifact.id)

    def artifacts(self, type_name: str) -> list[Artifact]:
        """Returns all finished artifacts of a type, the oldest first."""
        try:
            found = self._artifacts_of_type(type_name)
        except mlmd_errors.NotFoundError:
            return []
        artifacts = (self._artifact(artifact) for artifact in sorted(found, key=lambda artifact: artifact.id))
        return [artifact for artifact in artifacts if artifact.live]

    @functools.cached_property
    def _artifact_types(self) -> dict[int, str]:
        return {artifact_type.id: artifact_type.name for artifact_type in self._store.get_artifact_types()}

    def _artifact(self, proto: pb.Artifact) -> Artifact:
        uri, properties = proto.uri, {**_values(proto.properties), **_values(proto.custom_properties)}
        former = None
        if self._root is not None:
            former = relocation.former_root(uri, self._root)
        if self._root is not None and former is not None:
            uri = relocation.translated(uri, former, self._root)
            properties = relocation.translated_values(properties, former, self._root)
        return Artifact(
            id=proto.id,
            type=self._artifact_types[proto.type_id],
            uri=uri,
            properties=properties,
            live=proto.state in _FINISHED_ARTIFACT,
            deleted=proto.state in _DELETED_ARTIFACT,
        )

    @functools.cached_property
    def _context_cache(self) -> dict[int, dict[str, str]]:
        # The contexts of an execution never change.
        return collections.defaultdict(dict)

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

    def _executions(self, protos: Iterable[pb.Execution], with_contexts: bool = True) -> list[Execution]:
        by_id = {proto.id: proto for proto in sorted(protos, key=lambda proto: proto.id)}
        events: dict[int, list[pb.Event]] = collections.defaultdict(list)
        for ids in _chunks(by_id):
            for event in self._store.get_events_by_execution_ids(ids):
                events[event.execution_id].append(event)
        artifact_ids = sorted({event.artifact_id for of_one in events.values() for event in of_one})
        artifacts = {
            proto.id: self._artifact(proto)
            for ids in _chunks(artifact_ids)
            for proto in self._store.get_artifacts_by_id(ids)
        }
        contexts: dict[int, dict[str, str]] = {}
        if with_contexts:
            contexts = self._contexts(by_id)
        return [
            self._execution(proto, contexts.get(proto.id, {}), events[proto.id], artifacts) for proto in by_id.values()
        ]

    def _contexts(self, execution_ids: Iterable[int]) -> dict[int, dict[str, str]]:
        """Returns per execution the names of its contexts by context type, which include its node and its run."""
        cache = self._context_cache
        for ids in _chunks(set(execution_ids).difference(cache), _MAX_IN_SUBGRAPH):
            # ML Metadata has no call for the contexts of several executions; a subgraph without hops contains them.
            options = pb.LineageSubgraphQueryOptions(max_num_hops=0)
            options.starting_executions.filter_query = f"id IN ({', '.join(map(str, ids))})"
            graph = self._store.get_lineage_subgraph(options, ["contexts", "associations"])
            contexts = {context.id: context for context in graph.contexts}
            for association in graph.associations:
                context = contexts[association.context_id]
                cache[association.execution_id][context.type] = context.name
        return cache

    def _execution(
        self, proto: pb.Execution, contexts: dict[str, str], events: list[pb.Event], artifacts: dict[int, Artifact]
    ) -> Execution:
        started, ended = proto.create_time_since_epoch, proto.last_update_time_since_epoch
        return Execution(
            id=proto.id,
            # The node context is called `<pipeline>.<node>`.
            node=contexts.get("node", "").rpartition(".")[2],
            run_id=contexts.get("pipeline_run", ""),
            state=pb.Execution.State.Name(proto.last_known_state),
            started=datetime.datetime.fromtimestamp(started / 1000, datetime.timezone.utc),
            seconds=(ended - started) / 1000,
            properties={**_values(proto.properties), **_values(proto.custom_properties)},
            inputs=_by_key(events, artifacts, {pb.Event.INPUT}),
            outputs=_by_key(events, artifacts, {pb.Event.OUTPUT}),
        )


def _chunks(ids: Iterable[int], size: int = _MAX_IDS) -> Iterator[Sequence[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _key(event: pb.Event) -> str:
    return next((step.key for step in event.path.steps if step.HasField("key")), "")


def _by_key(events: Iterable[pb.Event], artifacts: dict[int, Artifact], kinds: set[int]) -> dict[str, list[Artifact]]:
    result: dict[str, list[Artifact]] = {}
    for event in events:
        if event.type in kinds:
            result.setdefault(_key(event), []).append(artifacts[event.artifact_id])
    return result


def _values(properties: object) -> dict[str, Value]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in properties.items()  # type: ignore[attr-defined]
        if value.WhichOneof("value") in ("string_value", "int_value", "double_value")
    }
