"""Changes of the settings between two runs, by their names in a config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shortlist.lineage import settings
from shortlist.lineage.compared import RunOrVersion
from shortlist.lineage.diff.changes import Change, setting_changes
from shortlist.lineage.settings import flat
from shortlist.records import nodes, properties
from shortlist.records.artifacts import json_object
from shortlist.records.nodes import TABLES


def hyperparameter_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the settings of the training that differ."""
    first, second = (side.settings(nodes.TRAINER, settings.hyperparameters) for side in (before, after))
    if first and second:
        yield from setting_changes(first, second)


def config_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the other settings that differ, of nodes that both sides have."""
    common = before.nodes.keys() & after.nodes.keys()
    first, second = (_settings_of(side, common) for side in (before, after))
    yield from setting_changes(first, second)


def _settings_of(side: RunOrVersion, present: set[str]) -> dict[str, Any]:
    """Returns the settings of nodes that ML Metadata has, by their names in a config."""
    found: dict[str, Any] = {}
    if nodes.WINDOWS in present:
        found |= flat(side.json(nodes.WINDOWS, properties.CONFIG), "data.")
    if nodes.DATA_GATE in present:
        found |= flat(side.json(nodes.DATA_GATE, properties.GATE), "data.gate.")
    for table in TABLES:
        if nodes.gen(table) in present:
            found |= _table_settings(table, side)
    for node, table in ((nodes.TRANSFORM, "queries"), (nodes.CANDIDATE_TRANSFORM, "candidates")):
        if node in present:
            features = side.json(node, properties.CUSTOM_CONFIG).get("features") or {}
            found |= flat(features, f"data.{table}.features.")
    if nodes.EVALUATOR in present:
        found |= dict(_gates(side.json(nodes.EVALUATOR, properties.EVAL_CONFIG)))
        found |= flat(side.json(nodes.EVALUATOR, properties.COLD_START), "evaluate.cold_start.")
    if nodes.INDEXER in present:
        found |= flat(side.json(nodes.INDEXER, properties.CONFIG), "index.")
    return found


def _table_settings(table: str, side: RunOrVersion) -> dict[str, Any]:
    node = nodes.gen(table)
    spec = dict(side.json(node, properties.TABLE))
    columns = spec.pop("columns", [])
    found = flat(spec, f"data.{table}.")
    if not isinstance(columns, list):
        columns = []
    for column in columns:
        found |= flat({key: value for key, value in column.items() if key != "key"}, f"{column.get('key')}.")
    found[f"data.{table}.path"] = side.property(node, properties.DATA_PATH)
    return found


def _gates(eval_config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the Evaluator's thresholds by metric."""
    for spec in eval_config.get("metrics_specs", []):
        for metric in spec.get("metrics", []):
            name = json_object(metric.get("config")).get("name", metric.get("class_name"))
            for gate in metric.get("per_slice_thresholds", []):
                for key, value in flat(gate.get("threshold", {})).items():
                    yield f"evaluate, {name}, {key}", value
