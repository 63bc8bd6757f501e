"""One step of a manual command as a running execution of ML Metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.executions import Value
from shortlist.records import properties

_VALUE_FIELDS = {str: "string_value", int: "int_value", float: "double_value"}


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
        set_values(self._execution.custom_properties, properties)

    def announce(self, key: str, type_name: str, uri: str, properties: Mapping[str, Value]) -> None:
        """Records an output before it is written; it is an output of the execution once the step is complete."""
        artifact = pb.Artifact(type_id=self._store.get_artifact_type(type_name).id, uri=uri, state=pb.Artifact.PENDING)
        set_values(artifact.custom_properties, properties)
        contexts = self._store.get_contexts_by_execution(self.id)
        self._store.put_execution(self._execution, [(artifact, event_of(pb.Event.PENDING_OUTPUT, key, 0))], contexts)

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
        set_values(self._execution.custom_properties, {property_name: why})
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


def event_of(kind: int, key: str, index: int) -> pb.Event:
    """Returns the event of an input or output, the `index`-th of its key."""
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


def set_values(into: object, properties: Mapping[str, Value]) -> None:
    """Sets custom properties."""
    for name, value in properties.items():
        field = next(field for kind, field in _VALUE_FIELDS.items() if isinstance(value, kind))
        setattr(into[name], field, value)  # type: ignore[index]
