"""Cold start: accuracy on new candidates, and recommendations for queries without a history."""

from __future__ import annotations

from collections.abc import Callable

from shortlist import keys
from shortlist.lineage.measurements import Measurements
from shortlist.metrics import names
from shortlist.report import format
from shortlist.report.blocks import Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

_K = 100
_COLUMNS = ("figure", "value", "95% interval", "required")


def section(facts: Facts) -> PageSection | None:
    """Returns both figures beside the gates' thresholds; None if an older version did not measure them."""
    measurements = facts.measurements
    if measurements is None or names.POPULAR_SHARE not in measurements.overall:
        return None
    of_corpus = ""
    if facts.summary and facts.summary.protocol:
        of_corpus = f" of {facts.summary.protocol.corpus_size:,} candidates"
    rows = [*_unseen_targets(facts, measurements), _empty_history(facts, measurements)]
    table = TableBlock(
        f"Candidates without train interactions, and an empty history; top {_K}{of_corpus}",
        [TableColumn(title, numeric=title in ("value", "95% interval")) for title in _COLUMNS],
        rows,
    )
    return PageSection(
        "cold-start",
        "Cold start",
        "New items have only features, new users nothing. "
        "Are new items recommended, and do new users get popular ones?",
        [table, *_notes(measurements)],
    )


def _unseen_targets(facts: Facts, measurements: Measurements) -> list[list[str]]:
    """Returns the lines on test rows with a target without train interactions; empty if there are no such rows."""
    slices = [s for s in measurements.slices if (s.name, s.value) == (keys.TARGET_POPULARITY, names.UNSEEN)]
    lift = measurements.overall.get(names.UNSEEN_LIFT)
    if not slices or lift is None:
        return []
    metrics = slices[0].metrics
    rows, accuracy = names.counted_rows(metrics), metrics.get(names.top_k(_K))
    floor = _requirement(facts, "unseen_candidates", lambda value: f"{value:g} times chance")
    return [
        [
            f"HR@{_K} of {rows:,.0f} test rows with a target without train interactions",
            format.share(accuracy),
            format.interval(accuracy, rows),
            format.NOTHING,
        ],
        [f"the same HR@{_K} as a multiple of chance", f"{lift:.2f}", format.NOTHING, floor],
    ]


def _empty_history(facts: Facts, measurements: Measurements) -> list[str]:
    share = measurements.overall[names.POPULAR_SHARE]
    floor = _requirement(facts, "empty_history", format.percent)
    return [
        f"empty history: share of the {_K} most popular in its top {_K}",
        format.percent(share),
        format.NOTHING,
        floor,
    ]


def _requirement(facts: Facts, gate: str, form: Callable[[float], str]) -> str:
    """Returns a gate's threshold and its action."""
    prefix = f"evaluate.cold_start.{gate}"
    threshold, action = facts.config.get(f"{prefix}.threshold"), facts.config.get(f"{prefix}.action")
    if not isinstance(threshold, int | float) or action == "ignore":
        return format.NOTHING
    return f"at least {form(threshold)}, else {'a warning' if action == 'warn' else 'an error'}"


def _notes(measurements: Measurements) -> list[Notes]:
    if names.UNSEEN_LIFT in measurements.overall:
        return []
    return [
        Notes("plain", ["All targets of test rows have train interactions, so that new candidates were not measured."])
    ]
