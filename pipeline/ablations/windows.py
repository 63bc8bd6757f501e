"""The rows of an ablation: windows, catalogue and transform graphs of a run that is there already."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from components.trainer.bundle import Inputs, files_of
from shortlist import keys
from shortlist.config.config import Config
from shortlist.errors import BadInputError
from shortlist.lineage.facts import flat
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.records import nodes, properties
from shortlist.records.artifacts import json_object
from shortlist.runs import record
from shortlist.workspace import Workspace

_SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)
# Neither is in a window.
_NO_MATTER = ("data.gate.", "data.source", "data.candidates.title")


@dataclasses.dataclass(frozen=True)
class RecordedWindows:
    """What all recipes are trained and ranked on."""

    run_id: str
    """The run that it is of."""
    inputs: Inputs
    files: Mapping[str, list[str]]
    """gz TFRecord files by split."""
    tells_parts_of_seconds: bool = False
    """Whether the log orders what happened within one second."""

    @property
    def all_files(self) -> list[str]:
        """Everything that is read."""
        return [*self.inputs.files, *(path for files in self.files.values() for path in files)]


def latest(workspace: Workspace, config: Config) -> RecordedWindows:
    """Returns the windows of the latest run with this config's data.

    Raises:
      BadInputError: There is none that got as far as its transform graphs.
    """
    wanted = _of_data(flat(config.model_dump(mode="json")))
    store = Store.of(workspace) if workspace.has_metadata else None
    for found in record.records(workspace):
        if store is None or _of_data(found.config()) != wanted:
            continue
        by_node = {execution.node: execution for execution in store.run_executions(found.run_id)}
        examples = _output(by_node, nodes.WINDOWS, "examples")
        candidates = _output(by_node, nodes.CANDIDATES_GEN, "examples")
        graph = _output(by_node, nodes.TRANSFORM, "transform_graph")
        candidate_graph = _output(by_node, nodes.CANDIDATE_TRANSFORM, "transform_graph")
        if examples and candidates and graph and candidate_graph:
            return RecordedWindows(
                found.run_id,
                Inputs(_files(candidates, keys.SPLIT_ALL), candidate_graph.uri, graph.uri),
                {split: _files(examples, split) for split in _SPLITS},
                _tells_parts(by_node[nodes.INTERACTIONS_GEN]),
            )
    raise BadInputError.from_parts(
        workspace.root,
        "a run with this config's `data`",
        "none that got as far as its windows",
        "`shortlist run` with the same config makes one",
    )


def _tells_parts(interactions: Execution) -> bool:
    columns = json_object(interactions.properties.get(properties.TABLE)).get("columns", [])
    return any(column.get("type") == "subsecond" for column in columns)


def _of_data(settings: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in settings.items()
        if name.startswith("data.") and value is not None and not name.startswith(_NO_MATTER)
    }


def _output(by_node: Mapping[str, Execution], node: str, key: str) -> Artifact | None:
    execution = by_node.get(node)
    if execution is None or execution.state not in ("COMPLETE", "CACHED"):
        return None
    artifact = execution.output(key)
    return None if artifact is None or artifact.deleted else artifact


def _files(artifact: Artifact, split: str) -> list[str]:
    return files_of([os.path.join(artifact.uri, f"Split-{split}", "*")])
