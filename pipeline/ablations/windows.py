"""Rows of an ablation: the windows, catalogue and transform graphs of an earlier run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from components import shards
from components.trainer.bundle import Inputs
from shortlist import keys
from shortlist.config.config import Config
from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.settings import flat
from shortlist.lineage.store import Store
from shortlist.records import contents, nodes, properties
from shortlist.records.artifacts import json_object
from shortlist.runs import record
from shortlist.workspace import Workspace

_SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)
# Config keys that do not change the windows.
_IRRELEVANT_KEYS = ("data.gate.", "data.source", "data.candidates.title")


@dataclasses.dataclass(frozen=True)
class RecordedWindows:
    """Files of a run that all recipes are trained and ranked on."""

    run_id: str
    """Id of the run that made them."""
    inputs: Inputs
    files: Mapping[str, list[str]]
    """gz TFRecord files by split."""
    has_subseconds: bool = False
    """Whether the log has parts of seconds, which order interactions within one second."""

    @property
    def all_files(self) -> list[str]:
        """All files that a trial reads."""
        return [*self.inputs.files, *(path for files in self.files.values() for path in files)]


def latest(workspace: Workspace, config: Config) -> RecordedWindows:
    """Returns the windows of the latest run with this config's data.

    Raises:
      BadInputError: No such run reached its transform graphs, or its artifacts are deleted or damaged.
    """
    if not workspace.has_metadata:
        raise _no_windows(workspace)
    wanted = _data_keys(flat(config.model_dump(mode="json")))
    store = Store.of(workspace)
    for run in record.records(workspace):
        if _data_keys(run.config()) != wanted:
            continue
        by_node = {execution.node: execution for execution in store.run_executions(run.run_id)}
        examples = _output(by_node, nodes.WINDOWS, "examples")
        candidates = _output(by_node, nodes.CANDIDATES_GEN, "examples")
        graph = _output(by_node, nodes.TRANSFORM, "transform_graph")
        candidate_graph = _output(by_node, nodes.CANDIDATE_TRANSFORM, "transform_graph")
        if examples and candidates and graph and candidate_graph:
            return RecordedWindows(
                run.run_id,
                Inputs(_files(candidates, keys.SPLIT_ALL), candidate_graph.uri, graph.uri),
                {split: _files(examples, split) for split in _SPLITS},
                _has_subseconds(by_node[nodes.INTERACTIONS_GEN]),
            )
    raise _no_windows(workspace)


def _no_windows(workspace: Workspace) -> BadInputError:
    return BadInputError.from_parts(
        workspace.root,
        "a run with this config's `data`",
        "none that completed its windows",
        "`shortlist run` with the same config makes one",
    )


def _has_subseconds(interactions: Execution) -> bool:
    columns = json_object(interactions.properties.get(properties.TABLE)).get("columns", [])
    return any(column.get("type") == "subsecond" for column in columns)


def _data_keys(settings: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in settings.items()
        if name.startswith("data.") and value is not None and not name.startswith(_IRRELEVANT_KEYS)
    }


def _output(by_node: Mapping[str, Execution], node: str, key: str) -> Artifact | None:
    execution = by_node.get(node)
    if execution is None or execution.state not in ("COMPLETE", "CACHED"):
        return None
    artifact = execution.output(key)
    # `runs prune` deletes artifacts of old runs.
    if artifact is None or artifact.deleted:
        return None
    if contents.damage(artifact.uri, str(artifact.properties.get(properties.MANIFEST, ""))) is not None:
        return None
    return artifact


def _files(artifact: Artifact, split: str) -> list[str]:
    return shards.list_files(os.path.join(artifact.uri, f"Split-{split}"))
