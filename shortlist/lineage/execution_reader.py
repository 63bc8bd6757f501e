"""Objects of ML Metadata as executions with their artifacts, read in few calls."""

from __future__ import annotations

import collections
import datetime
import functools
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage import relocation
from shortlist.lineage.executions import Artifact, Execution, Value

_FINISHED_ARTIFACT = (pb.Artifact.LIVE, pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.DELETED)
_DELETED_ARTIFACT = (pb.Artifact.MARKED_FOR_DELETION, pb.Artifact.DELETED)
# The time of one call grows with the square of its number of ids, which matters for tens of thousands.
_MAX_IDS = 1000
# Limit of ML Metadata for the nodes in one call.
_MAX_IN_SUBGRAPH = 100


class ExecutionReader:
    """Reads the artifacts, nodes and runs of executions that a query found.

    Args:
      store: The client of ML Metadata.
      root: The workspace. Paths of a workspace that was copied or moved are translated to it.
    """

    def __init__(self, store: metadata_store.MetadataStore, root: pathlib.Path | None = None):
        self._store = store
        self._root = root

    @functools.cached_property
    def _artifact_types(self) -> dict[int, str]:
        return {artifact_type.id: artifact_type.name for artifact_type in self._store.get_artifact_types()}

    def artifact(self, proto: pb.Artifact) -> Artifact:
        """Returns an artifact."""
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

    def executions(self, protos: Iterable[pb.Execution], with_contexts: bool = True) -> list[Execution]:
        """Returns executions with their inputs and outputs, the oldest first.

        Args:
          protos: The executions.
          with_contexts: Whether to read nodes and runs; if not, both are empty.
        """
        by_id = {proto.id: proto for proto in sorted(protos, key=lambda proto: proto.id)}
        events: dict[int, list[pb.Event]] = collections.defaultdict(list)
        for ids in chunks(by_id):
            for event in self._store.get_events_by_execution_ids(ids):
                events[event.execution_id].append(event)
        artifact_ids = sorted({event.artifact_id for of_one in events.values() for event in of_one})
        artifacts = {
            proto.id: self.artifact(proto)
            for ids in chunks(artifact_ids)
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
        for ids in chunks(set(execution_ids).difference(cache), _MAX_IN_SUBGRAPH):
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


def chunks(ids: Iterable[int], size: int = _MAX_IDS) -> Iterator[Sequence[int]]:
    """Yields ids in ascending order, `size` at a time."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def key_of(event: pb.Event) -> str:
    """Returns the key of an event's input or output."""
    return next((step.key for step in event.path.steps if step.HasField("key")), "")


def _by_key(events: Iterable[pb.Event], artifacts: dict[int, Artifact], kinds: set[int]) -> dict[str, list[Artifact]]:
    result: dict[str, list[Artifact]] = {}
    for event in events:
        if event.type in kinds:
            result.setdefault(key_of(event), []).append(artifacts[event.artifact_id])
    return result


def _values(properties: object) -> dict[str, Value]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in properties.items()  # type: ignore[attr-defined]
        if value.WhichOneof("value") in ("string_value", "int_value", "double_value")
    }
