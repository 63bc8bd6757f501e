"""Features that an earlier model reads, beside those of today's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# The settings of a feature that change the model and not the values that it reads.
_OF_THE_MODEL = ("max_vocabulary",)


class InputChange(NamedTuple):
    """Difference of an earlier model's features from today's, as texts such as `age of queries`."""

    missing: list[str]
    """Features that it reads and that today's rows do not have, or have with other settings."""
    ignored: list[str]
    """Features of today's model that it does not read."""

    @property
    def reason(self) -> str | None:
        """The reason not to compare the models; None if the earlier one can read today's rows."""
        if not self.missing:
            return None
        return f"its features differ: it reads {_listed(self.missing)}, which today's rows do not have as it knows them"

    @property
    def note(self) -> str:
        """A clause on a comparison with fewer features; empty if there are none."""
        return f"it does not read {_listed(self.ignored)}" if self.ignored else ""


def compare_inputs(candidate: Mapping[str, Any], baseline: Mapping[str, Any]) -> InputChange | None:
    """Returns the difference of the features, or None if one of the models does not describe its own.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's shortlist.json.
    """
    today, earlier = _inputs(candidate), _inputs(baseline)
    if today is None or earlier is None:
        return None
    missing = sorted(name for name, settings in earlier.items() if today.get(name) != settings)
    return InputChange(missing, sorted(today.keys() - earlier.keys()))


def _inputs(described: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Returns the settings of the features that a model reads, by `NAME of TABLE`."""
    config = described.get("config")
    if not config:
        return None
    data, tower = config["data"], config["model"]["query_tower"]
    log = data.get("interaction_features", {})
    history = log.get("history", {})
    tables = {
        "queries": data["query_features"],
        "candidates": data["candidate_features"],
        "histories": {name: history[name] for name in tower.get("history_features") or ()},
        "requests": log.get("context", {}),
    }
    return {
        f"{name} of {table}": {key: value for key, value in settings.items() if key not in _OF_THE_MODEL}
        for table, features in tables.items()
        for name, settings in features.items()
    }


def _listed(names: list[str]) -> str:
    return ", ".join(names)
