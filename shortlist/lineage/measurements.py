"""What a model was measured at: from ML Metadata, or from the summary where an older version left it only there."""

from __future__ import annotations

import dataclasses
from typing import Any

from shortlist.lineage.store import Execution
from shortlist.metrics import names
from shortlist.records.artifacts import Evaluation
from shortlist.summary import Summary

_POPULARITY = f"{names.POPULARITY_FAMILY}/"


@dataclasses.dataclass(frozen=True)
class Slice:
    """The rows of the test split that have something in common."""

    name: str
    """Of the slice's feature, `history_length`."""
    value: str
    metrics: dict[str, float]
    """Of the model and of "most popular", under their own names; see `names.counted_rows` for the denominator."""


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Metrics of the model and of what it was compared with on the same rows, under the same names."""

    overall: dict[str, float]
    popularity: dict[str, float]
    latest_blessed: dict[str, float] | None
    """None where there was none, or where only an older version's record is left, which does not say."""
    slices: list[Slice]

    @property
    def rows(self) -> float:
        """Test rows that plain metrics count: those whose target the query had not seen before."""
        return names.counted_rows(self.overall)

    @property
    def all_rows(self) -> float:
        """All test rows, which the metrics `_with_seen` count."""
        return self.overall.get(names.EXAMPLE_COUNT, 0.0)


def measurements(evaluator: Execution | None, summary: Summary | None) -> Measurements | None:
    """Returns what an Evaluator measured; None if it did not come that far.

    Args:
      evaluator: The execution, if there was one.
      summary: The run's, if it left one.
    """
    evaluation = Evaluation.of(evaluator.output("evaluation")) if evaluator else None
    metrics = evaluation.metrics if evaluation else {}
    if evaluation is not None and metrics and evaluation.slices is not None:
        latest = own(evaluation.baseline) or None
        return Measurements(own(metrics), popularity(metrics), latest, _slices(evaluation.slices))
    if summary is not None and summary.metrics is not None:
        known = summary.baselines
        return Measurements(
            summary.metrics.overall,
            known.popularity if known else {},
            known.latest_blessed if known else None,
            _slices(summary.metrics.slices),
        )
    return Measurements(own(metrics), popularity(metrics), None, []) if metrics else None


def own(metrics: dict[str, float]) -> dict[str, float]:
    """Returns the metrics without those of "most popular"."""
    return {name: value for name, value in metrics.items() if not name.startswith(_POPULARITY)}


def popularity(metrics: dict[str, float]) -> dict[str, float]:
    """Returns those of "most popular" under the model's names, so that the two can be compared key by key."""
    found = {}
    for name, value in metrics.items():
        if name.startswith(_POPULARITY):
            bare = name.removeprefix(_POPULARITY)
            found[f"{names.MODEL_FAMILY}/{bare}" if bare.startswith("top_") else bare] = value
    return found


def _slices(entries: list[dict[str, Any]]) -> list[Slice]:
    found = []
    for entry in entries:
        of_slice, metrics = entry.get("slice"), entry.get("metrics")
        if isinstance(of_slice, dict) and isinstance(metrics, dict):
            name = ", ".join(sorted(of_slice))
            value = ", ".join(str(of_slice[key]) for key in sorted(of_slice))
            found.append(Slice(name, value, {str(key): float(value) for key, value in metrics.items()}))
    return found
