"""Measurements of a model, from ML Metadata, or from the summary for runs of older versions."""

from __future__ import annotations

import dataclasses
from typing import Any

from shortlist.lineage.executions import Execution, output_of
from shortlist.metrics import names
from shortlist.records.artifacts import Evaluation
from shortlist.summary import Summary

_POPULARITY = f"{names.POPULARITY_FAMILY}/"


@dataclasses.dataclass(frozen=True)
class Slice:
    """Metrics of the test rows with the same value of a feature."""

    name: str
    """Name of the feature, for example `history_length`."""
    value: str
    metrics: dict[str, float]
    """Metrics of the model and of "most popular", under their own names; `names.rows_of` returns the denominator."""


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Metrics of the model and of the models that it is compared with, on the same rows and with the same names."""

    overall: dict[str, float]
    popularity: dict[str, float]
    latest_blessed: dict[str, float] | None
    """None if there was no such model, or if the record of an older version does not contain it."""
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
    """Returns the measurements of an Evaluator; None if there are none.

    Args:
      evaluator: The Evaluator's execution, if there is one.
      summary: The run's summary, if there is one.
    """
    evaluation = Evaluation.of(output_of(evaluator, "evaluation"))
    if evaluation is not None and evaluation.metrics and evaluation.slices is not None:
        metrics, latest = evaluation.metrics, own(evaluation.baseline) or None
        return Measurements(own(metrics), popularity(metrics), latest, _slices(evaluation.slices))
    if summary is not None and summary.metrics is not None:
        overall, slices = summary.metrics.overall, _slices(summary.metrics.slices)
        if summary.baselines is None:
            return Measurements(overall, {}, None, slices)
        return Measurements(overall, summary.baselines.popularity, summary.baselines.latest_blessed, slices)
    if evaluation is None or not evaluation.metrics:
        return None
    return Measurements(own(evaluation.metrics), popularity(evaluation.metrics), None, [])


def own(metrics: dict[str, float]) -> dict[str, float]:
    """Returns the metrics without those of "most popular"."""
    return {name: value for name, value in metrics.items() if not name.startswith(_POPULARITY)}


def popularity(metrics: dict[str, float]) -> dict[str, float]:
    """Returns the metrics of "most popular" under the model's names, so that the two can be compared key by key."""
    found = {}
    for name, value in metrics.items():
        if name.startswith(_POPULARITY):
            bare = name.removeprefix(_POPULARITY)
            if bare.startswith("top_"):
                bare = f"{names.MODEL_FAMILY}/{bare}"
            found[bare] = value
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
