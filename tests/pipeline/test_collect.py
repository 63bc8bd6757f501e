"""The summary of a recorded run, from ML Metadata alone."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipeline import collect
from shortlist.config.load import load_config
from shortlist.records import nodes, properties
from shortlist.workspace import Workspace
from tests.compatibility.restored import restore


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    restore(folder)
    config = load_config(folder / "circle.yaml")
    workspace = Workspace(folder / "workspace", config.name)
    run_id = min(path.name for path in (folder / "workspace/runs").iterdir() if not path.is_symlink())
    return config, run_id, collect.nodes_of(workspace, run_id)


def _summary(recorded, repeat_targets, **evaluate):
    config, run_id, executions = recorded
    windows = executions[nodes.WINDOWS]
    [examples] = windows.outputs["examples"]
    stats = json.loads(examples.properties[properties.STATS]) | {"repeat_targets": repeat_targets}
    changed = {**examples.properties, properties.STATS: json.dumps(stats)}
    outputs = windows.outputs | {"examples": [dataclasses.replace(examples, properties=changed)]}
    executions = executions | {nodes.WINDOWS: dataclasses.replace(windows, outputs=outputs)}
    config = config.model_copy(update={"evaluate": config.evaluate.model_copy(update=evaluate)})
    return collect.collect(config, executions, run_id, {}, {}, 1.0, 1.0, {})


def test_pushed_run(recorded):
    summary = _summary(recorded, 0.0)
    assert (summary.status, summary.reasons, summary.warnings) == ("pushed", [], [])
    assert summary.protocol.exclude_seen
    assert summary.metrics.overall["example_count"] == summary.data.rows["test"] == 60


def test_many_targets_that_had_been_seen_are_warned_of(recorded):
    assert _summary(recorded, 0.1).warnings == []
    [warning] = _summary(recorded, 0.11).warnings
    assert warning.startswith("11% of the test targets had been seen before by their query")
    assert "evaluate.repeat_consumption: true" in warning
    summary = _summary(recorded, 0.9, repeat_consumption=True)
    assert (summary.warnings, summary.protocol.exclude_seen) == ([], False)
