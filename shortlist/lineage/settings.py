"""Settings and counts of executions, from ML Metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.config import renamed
from shortlist.lineage.executions import Execution
from shortlist.records import artifacts, properties
from shortlist.records.artifacts import WindowsRecord


def hyperparameters(execution: Execution) -> dict[str, Any]:
    """Returns a Trainer's config sections `model` and `train`, with the values from a Tuner."""
    custom = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG))
    found = {section: custom[section] for section in ("model", "train") if isinstance(custom.get(section), dict)}
    tower = found.get("model", {}).get("query_tower")
    if isinstance(tower, dict):
        found["model"]["query_tower"] = renamed.rename_recorded("model.query_tower", tower)
    for best in execution.inputs.get("hyperparameters", []):
        for name, value in artifacts.tuned_values_of(best).items():
            _set(found, renamed.RENAMED.get(name, name).split("."), value)
    return found


def index(execution: Execution) -> dict[str, Any]:
    """Returns the index of an Indexer or a forced push with its measurements; empty if there is none."""
    return artifacts.index_of(execution.output("model"))


def stats(execution: Execution) -> dict[str, Any]:
    """Returns the counts of a Windows node."""
    record = WindowsRecord.of(execution.output("examples"))
    return record.stats if record else {}


def _set(settings: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        settings = settings.setdefault(parent, {})
    settings[last] = value


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by dotted name; an empty section stays an empty dict."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            found |= flat(item, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = item
    return found
