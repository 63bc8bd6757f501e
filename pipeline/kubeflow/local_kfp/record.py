"""Writes runs, tasks and artifacts to ML Metadata as KFP's driver and launcher do."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.check.values import title
from pipeline.kubeflow.metadata import layout
from shortlist.lineage import client, sqlite_file

Json = dict[str, Any]


def open_store(path: pathlib.Path) -> metadata_store.MetadataStore:
    """Opens or creates the sqlite store at `path`.

    Raises:
      StoreError: The file cannot be used.
    """
    sqlite_file.check(path, for_writing=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return client.open_store(config)


class Recorder:
    """Writes one run.

    Args:
      store: The store to write to.
      pipeline: The pipeline's name.
      run_id: The run's id.
      root: URI of the folder of the run's artifacts.
      run_parameters: The run's parameters.
    """

    def __init__(
        self,
        store: metadata_store.MetadataStore,
        pipeline: str,
        run_id: str,
        root: str,
        run_parameters: Mapping[str, Any],
    ):
        self._store = store
        self._contexts = [
            self._context(layout.PIPELINE, pipeline, {}),
            self._context(layout.RUN, run_id, {layout.PIPELINE_ROOT: root}),
        ]
        parent = pb.ParentContext(parent_id=self._contexts[0].id, child_id=self._contexts[1].id)
        store.put_parent_contexts([parent])
        dag = self._execution(layout.DAG, "", run_parameters, {}, pb.Execution.RUNNING)
        dag.id = self._put(dag, [], [])
        self._dag = dag

    def cached(self, task: str, fingerprint: str) -> dict[str, Json] | None:
        """Returns the outputs of the latest execution of a task with this fingerprint, None if there is none."""
        query = f"custom_properties.{layout.FINGERPRINT}.string_value = '{fingerprint}' AND last_known_state = COMPLETE"
        matches = self._store.get_executions(metadata_store.ListOptions(filter_query=query))
        same = [match for match in matches if match.custom_properties[layout.TASK_NAME].string_value == task]
        if not same:
            return None
        events = self._store.get_events_by_execution_ids([max(execution.id for execution in same)])
        keys = {event.artifact_id: event.path.steps[0].key for event in events if event.type == pb.Event.OUTPUT}
        return {keys[proto.id]: _runtime_artifact(proto) for proto in self._store.get_artifacts_by_id(sorted(keys))}

    def task(
        self,
        task: str,
        inputs: Json,
        outputs: Mapping[str, Json],
        state: pb.Execution.State.ValueType,
        fingerprint: str = "",
        kind: str = layout.CONTAINER,
    ) -> dict[str, Json]:
        """Records a task that ended, and returns its outputs as the inputs of later tasks.

        Args:
          task: The task's name.
          inputs: `parameterValues` and `artifacts`, as the driver resolved them.
          outputs: Artifacts from the launcher, or from the cache. Those from the cache have a `name`: their id.
          state: Final state of the task.
          fingerprint: The task's key in the cache; empty for a task that is not cached.
          kind: Type of the execution.
        """
        texts = {layout.FINGERPRINT: fingerprint} if fingerprint else {}
        execution = self._execution(kind, task, inputs["parameterValues"], texts, state)
        ids = {key: self._artifact_id(key, artifact) for key, artifact in outputs.items()}
        read = [
            (key, int(artifact["name"]))
            for key, artifacts in inputs["artifacts"].items()
            for artifact in artifacts["artifacts"]
        ]
        self._put(execution, read, list(ids.items()))
        if not ids:
            return {}
        by_id = {proto.id: _runtime_artifact(proto) for proto in self._store.get_artifacts_by_id(list(ids.values()))}
        return {key: by_id[artifact_id] for key, artifact_id in ids.items()}

    def find_imported(self, uri: str, type_schema: Json) -> Json | None:
        """Returns the first artifact with this URI and type, None if it was never imported."""
        same = [proto for proto in self._store.get_artifacts_by_uri(uri) if proto.type == title(type_schema)]
        if not same:
            return None
        return _runtime_artifact(min(same, key=lambda proto: proto.id))

    def finish(self, state: pb.Execution.State.ValueType) -> None:
        """Records the final state of the run."""
        self._dag.last_known_state = state
        self._store.put_executions([self._dag])

    def _context(self, kind: str, name: str, properties: Mapping[str, str]) -> pb.Context:
        type_id = self._store.put_context_type(pb.ContextType(name=kind))
        existing = self._store.get_context_by_type_and_name(kind, name)
        if existing is not None:
            return existing
        context = pb.Context(name=name, type_id=type_id)
        for key, value in properties.items():
            context.custom_properties[key].string_value = value
        [context.id] = self._store.put_contexts([context])
        return context

    def _execution(
        self,
        kind: str,
        task: str,
        parameters: Mapping[str, Any],
        texts: Mapping[str, str],
        state: pb.Execution.State.ValueType,
    ) -> pb.Execution:
        execution = pb.Execution(
            type_id=self._store.put_execution_type(pb.ExecutionType(name=kind)), last_known_state=state
        )
        json_format.ParseDict(dict(parameters), execution.custom_properties[layout.INPUTS].struct_value)
        for key, value in {layout.TASK_NAME: task, layout.DISPLAY_NAME: task, **texts}.items():
            execution.custom_properties[key].string_value = value
        if task:
            execution.custom_properties[layout.PARENT_DAG].int_value = self._dag.id
        return execution

    def _artifact_id(self, key: str, artifact: Json) -> int:
        """Returns the id of an output, which is stored unless it came from the cache or an earlier import."""
        if "name" in artifact:
            return int(artifact["name"])
        name = title(artifact["type"])
        type_id = self._store.put_artifact_type(pb.ArtifactType(name=name), can_add_fields=True, can_omit_fields=True)
        proto = pb.Artifact(type_id=type_id, uri=artifact["uri"], state=pb.Artifact.LIVE)
        for property_name, value in artifact.get("metadata", {}).items():
            _set(proto.custom_properties[property_name], value)
        proto.custom_properties[layout.DISPLAY_NAME].string_value = key
        [artifact_id] = self._store.put_artifacts([proto])
        return int(artifact_id)

    def _put(self, execution: pb.Execution, read: list[tuple[str, int]], written: list[tuple[str, int]]) -> int:
        stored = {
            proto.id: proto
            for proto in self._store.get_artifacts_by_id(sorted({artifact_id for _, artifact_id in [*read, *written]}))
        }
        events = []
        for kind, pairs in ((pb.Event.INPUT, read), (pb.Event.OUTPUT, written)):
            for key, artifact_id in pairs:
                event = pb.Event(artifact_id=artifact_id, type=kind)
                event.path.steps.add().key = key
                events.append((stored[artifact_id], event))
        execution_id, _, _ = self._store.put_execution(execution, events, self._contexts)
        return int(execution_id)


def _set(proto: pb.Value, value: Any) -> None:
    """Sets a property as KFP's converter does: numbers are doubles, booleans integers, lists and dicts structs."""
    if isinstance(value, bool):
        proto.int_value = int(value)
    elif isinstance(value, int | float):
        proto.double_value = float(value)
    elif isinstance(value, str):
        proto.string_value = value
    else:
        key = "list" if isinstance(value, list) else "struct"
        json_format.ParseDict({key: value}, proto.struct_value)


def _runtime_artifact(proto: pb.Artifact) -> Json:
    """Returns an artifact as KFP's converter does: its id is its name."""
    metadata: Json = {}
    for name, value in {**proto.properties, **proto.custom_properties}.items():
        kind = value.WhichOneof("value")
        metadata[name] = getattr(value, kind)
        if kind == "struct_value":
            metadata[name] = json_format.MessageToDict(value.struct_value)
    return {"name": str(proto.id), "uri": proto.uri, "metadata": metadata}
