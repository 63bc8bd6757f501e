"""A workspace with a real ML Metadata store in TFX's format, and folders in place of models."""

from __future__ import annotations

import pathlib

from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.client import open_store
from shortlist.lineage.database import database
from shortlist.serving import versions
from shortlist.workspace import Workspace

_KEYS = {"Model": "model", "PushedModel": "pushed_model"}
MODEL_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets.extra/shortlist.json",
    "assets.extra/index.json",
)


class Recorded:
    """The workspace of a pipeline, with methods that imitate a run's nodes."""

    def __init__(self, root: pathlib.Path, name: str = "shop", server=None):
        self.workspace = Workspace(root / "workspace", name, server)
        metadata = database(self.workspace)
        metadata.begin_run("run")
        self.store = open_store(metadata.connection())
        for name in ("pipeline", "pipeline_run", "node"):
            self.store.put_context_type(pb.ContextType(name=name))
        for name in ("Model", "PushedModel"):
            self.store.put_artifact_type(pb.ArtifactType(name=name))

    def node(
        self,
        name: str,
        state: str = "COMPLETE",
        inputs: list[int] | None = None,
        outputs: dict[str, dict[str, str | int]] | None = None,
        pipeline: str | None = None,
        run_id: str = "run",
    ) -> tuple[int, list[int]]:
        """Records an execution and its outputs, artifact type to custom properties; returns the ids of both."""
        pipeline = pipeline or self.workspace.name
        type_id = self.store.put_execution_type(pb.ExecutionType(name=f"tfx.{name}"))
        execution = pb.Execution(type_id=type_id, last_known_state=pb.Execution.State.Value(state))
        contexts = [
            pb.Context(type_id=self.store.get_context_type(kind).id, name=context)
            for kind, context in (("pipeline", pipeline), ("pipeline_run", run_id), ("node", f"{pipeline}.{name}"))
        ]
        execution.id, _, _ = self.store.put_execution(execution, [], contexts, reuse_context_if_already_exist=True)
        pairs = [
            (artifact, _event(pb.Event.INPUT, "model")) for artifact in self.store.get_artifacts_by_id(inputs or [])
        ]
        for artifact_type, properties in (outputs or {}).items():
            uri = self.output_folder(name, _KEYS[artifact_type], execution.id)
            artifact = pb.Artifact(
                type_id=self.store.get_artifact_type(artifact_type).id, uri=str(uri), state=pb.Artifact.LIVE
            )
            for key, value in properties.items():
                kind = "int_value" if isinstance(value, int) else "string_value"
                setattr(artifact.custom_properties[key], kind, value)
            pairs.append((artifact, _event(pb.Event.OUTPUT, _KEYS[artifact_type])))
        _, artifact_ids, _ = self.store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)
        return execution.id, artifact_ids[len(inputs or []) :]

    def output_folder(self, node: str, key: str, execution_id: int) -> pathlib.Path:
        """Makes an output folder with a file in it, where TFX has it."""
        folder = self.workspace.pipeline_root / node / key / str(execution_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").write_text(f"{node} {execution_id}")
        return folder

    def push(self, tag: str, keep: int = 3) -> int:
        """Pushes a model as the Pusher does, record and all; `tag` is the content of its files."""
        model, exact = (self._model(f"{tag}{suffix}", tag) for suffix in ("", "-exact"))
        version = versions.push(model, exact, self.workspace.serving_dir, keep, lambda: 1000.0)
        _, [index] = self.node("Indexer", outputs={"Model": {}})
        destination = str(self.workspace.serving_dir / str(version))
        pushed: dict[str, str | int] = {
            "pushed": 1,
            "pushed_version": str(version),
            "pushed_destination": destination,
        }
        self.node("Pusher", inputs=[index], outputs={"PushedModel": pushed})
        return version

    def tags(self) -> dict[int, str]:
        """Returns the content of each kept version, whose model and exact copy must be whole and the same push's."""
        found = {}
        for version in versions.versions(self.workspace.serving_dir):
            folders = [
                folder / str(version)
                for folder in (self.workspace.serving_dir, versions.exact_dir(self.workspace.serving_dir))
            ]
            assert not any(versions.missing_files(folder) for folder in folders)
            [found[version]] = {(folder / file).read_text() for folder in folders for file in MODEL_FILES}
        return found

    def states(self) -> dict[int, str]:
        """Returns the state of each execution."""
        return {e.id: pb.Execution.State.Name(e.last_known_state) for e in self.store.get_executions()}

    def _model(self, name: str, content: str) -> pathlib.Path:
        folder = self.workspace.root.parent / "models" / name
        for file in MODEL_FILES:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content)
        return folder


def _event(kind: int, key: str) -> pb.Event:
    event = pb.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event
