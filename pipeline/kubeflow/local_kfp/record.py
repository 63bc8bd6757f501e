"""Files runs, tasks and artifacts in ML Metadata as KFP's driver and launcher do."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.kubeflow.check.values import title
from pipeline.kubeflow.metadata import layout

Json = dict[str, Any]


def open_store(path: pathlib.Path) -> metadata_store.MetadataStore:
    """Returns the sqlite store at `path`, made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return metadata_store.MetadataStore(config)


class Recorder:
    """Writes one run.

    Args:
      store: Where to.
      pipeline: The pipeline's name.
      run_id: The run's id.
      root: URI below which the run's artifacts go.
      told: What the run was told.
    """

    def __init__(
        self, store: metadata_store.MetadataStore, pipeline: str, run_id: str, root: str, told: Mapping[str, Any]
    ):
        self._store = store
        self._contexts = [
            self._context(layout.PIPELINE, pipeline, {}),
            self._context(layout.RUN, run_id, {layout.PIPELINE_ROOT: root}),
        ]
        parent = pb.ParentContext(parent_id=self._contexts[0].id, child_id=self._contexts[1].id)
        store.put_parent_contexts([parent])
        dag = self._execution(layout.DAG, "", told, {}, pb.Execution.RUNNING)
        dag.id = self._put(dag, [], [])
        self._dag = dag

    def cached(self, task: str, fingerprint: str) -> dict[str, Json] | None:
        """Returns the outputs of an earlier execution of the same thing, None where there is none."""
        query = f"custom_properties.{layout.FINGERPRINT}.string_value = '{fingerprint}' AND last_known_state = COMPLETE"
        found = self._store.get_executions(metadata_store.ListOptions(filter_query=query))
        same = [execution for execution in found if execution.custom_properties[layout.TASK_NAME].string_value == task]
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
        """Files a task that ended, and returns its outputs as the next tasks are given them.

        Args:
          task: Its name.
          inputs: `parameterValues` and `artifacts`, as the driver resolved them.
          outputs: As the launcher merged them, or as the cache had them; those have names already.
          state: How it ended.
          fingerprint: What the cache knows it by.
          kind: Type of the execution.
        """
        execution = self._execution(
            kind, task, inputs["parameterValues"], {layout.FINGERPRINT: fingerprint} if fingerprint else {}, state
        )
        ids = {
            key: int(artifact["name"]) if "name" in artifact else self._put_artifact(key, artifact)
            for key, artifact in outputs.items()
        }
        read = [
            (key, int(artifact["name"]))
            for key, artifacts in inputs["artifacts"].items()
            for artifact in artifacts["artifacts"]
        ]
        self._put(execution, read, list(ids.items()))
        protos = self._store.get_artifacts_by_id(list(ids.values())) if ids else []
        by_id = {proto.id: _runtime_artifact(proto) for proto in protos}
        return {key: by_id[artifact_id] for key, artifact_id in ids.items()}

    def matching(self, uri: str, type_schema: Json) -> Json | None:
        """Returns an artifact that was imported before."""
        same = [proto for proto in self._store.get_artifacts_by_uri(uri) if proto.type == title(type_schema)]
        return _runtime_artifact(min(same, key=lambda proto: proto.id)) if same else None

    def finish(self, state: pb.Execution.State.ValueType) -> None:
        """Says how the run ended."""
        self._dag.last_known_state = state
        self._store.put_executions([self._dag])

    def _context(self, kind: str, name: str, properties: Mapping[str, str]) -> pb.Context:
        type_id = self._store.put_context_type(pb.ContextType(name=kind))
        found = self._store.get_context_by_type_and_name(kind, name)
        if found is not None:
            return found
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

    def _put_artifact(self, key: str, artifact: Json) -> int:
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


def _set(value: pb.Value, given: Any) -> None:
    """As KFP's converter does: numbers are doubles, booleans integers, lists and dicts are wrapped."""
    if isinstance(given, bool):
        value.int_value = int(given)
    elif isinstance(given, int | float):
        value.double_value = float(given)
    elif isinstance(given, str):
        value.string_value = given
    else:
        json_format.ParseDict({"list" if isinstance(given, list) else "struct": given}, value.struct_value)


def _runtime_artifact(proto: pb.Artifact) -> Json:
    """As KFP's converter does: the name is the id."""
    metadata: Json = {}
    for name, value in {**proto.properties, **proto.custom_properties}.items():
        kind = value.WhichOneof("value")
        got = getattr(value, kind)
        metadata[name] = json_format.MessageToDict(got) if kind == "struct_value" else got
    return {"name": str(proto.id), "uri": proto.uri, "metadata": metadata}
