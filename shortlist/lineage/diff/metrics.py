"""Changes of metrics between two runs, with their standard errors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from shortlist.lineage import fingerprints
from shortlist.lineage.compared import RunOrVersion
from shortlist.lineage.diff.changes import Change, relative
from shortlist.lineage.measurements import Measurements
from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error

NOISE = 2.0
"""Number of standard errors above which a difference is not noise."""

_SHARE = re.compile(r"(?:factorized_top_k|popularity)/top_(\d+)_categorical_accuracy(_with_seen)?")
_WITH_SEEN = "_with_seen"


def notes(before: RunOrVersion, after: RunOrVersion) -> list[str]:
    """Returns whether the metrics are of the same test rows, or which are missing."""
    without = [side.name for side in (before, after) if side.measurements is None]
    if without:
        return [f"no evaluation of {' and '.join(without)}, hence no metrics"]
    first, second = (fingerprints.test_rows(side.nodes) for side in (before, after))
    if first is None or second is None:
        return ["it is unknown whether both were tested on the same rows"]
    if first == second:
        return ["tested on the same rows: the difference has less noise than the standard errors here"]
    return ["tested on different rows: the data or the split changed"]


def overall_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the metrics over all rows that differ, and those of popularity."""
    first, second = _measurements(before), _measurements(after)
    yield from _metric_changes(first.overall, second.overall)
    yield from _metric_changes(first.popularity, second.popularity, "most popular, ")


def slice_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the metrics of slices that differ, for slices of both sides."""
    first, second = _by_slice(before), _by_slice(after)
    for name in first.keys() & second.keys():
        for change in _metric_changes(first[name], second[name], f"{name}: "):
            if not change.name.endswith(_WITH_SEEN):
                yield change


def _by_slice(side: RunOrVersion) -> dict[str, dict[str, float]]:
    return {f"{item.name} {item.value}": item.metrics for item in _measurements(side).slices}


def _measurements(side: RunOrVersion) -> Measurements:
    return side.measurements or Measurements({}, {}, None, [])


def _metric_changes(before: Mapping[str, float], after: Mapping[str, float], prefix: str = "") -> Iterator[Change]:
    """Yields the metrics that differ; a hit rate is given with its standard error and the change in standard errors."""
    for name in before.keys() & after.keys():
        rows = [_rows(values, name) for values in (before, after)]
        first, second = before[name], after[name]
        if first == second:
            continue
        shown = prefix + name.replace("factorized_top_k/", "")
        if not _SHARE.fullmatch(name) or not all(rows):
            # Only hit rates are proportions of test rows, with a known standard error.
            yield Change(shown, first, second, f"{first:.4g} to {second:.4g}", relative(first, second) / 100)
            continue
        errors = [standard_error(value, count) for value, count in zip((first, second), rows, strict=True)]
        num_errors = abs(second - first) / (math.hypot(*errors) or math.inf)
        description = (
            f"{first:.4f} ±{errors[0]:.4f} to {second:.4f} ±{errors[1]:.4f}: {second - first:+.4f}, "
            f"{num_errors:.1f} standard errors"
        )
        if num_errors < NOISE:
            description += ", within noise"
        # The model's own metrics without seen items come first.
        is_secondary = bool(prefix) or name.endswith(_WITH_SEEN)
        yield Change(shown, first, second, description, num_errors / 100 if is_secondary else num_errors)


def _rows(metrics: Mapping[str, float], name: str) -> float:
    return names.rows_of(metrics, with_seen=name.endswith(_WITH_SEEN))
