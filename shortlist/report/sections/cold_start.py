"""How the model does where train says nothing: new candidates, and queries without a past."""

from __future__ import annotations

from collections.abc import Callable

from shortlist import keys
from shortlist.lineage.measurements import Measurements
from shortlist.metrics import names
from shortlist.report import format
from shortlist.report.blocks import Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

_K = 100
_COLUMNS = ("figure", "value", "95% interval", "asked for")


def section(facts: Facts) -> PageSection | None:
    """Returns both figures beside what the gates ask; None where an older version did not measure them."""
    measured = facts.measured
    if measured is None or names.POPULAR_SHARE not in measured.overall:
        return None
    corpus = facts.summary.protocol.corpus_size if facts.summary and facts.summary.protocol else None
    of_corpus = f" of {corpus:,} candidates" if corpus else ""
    rows = [*_unseen(facts, measured), _newcomer(facts, measured)]
    table = TableBlock(
        f"Candidates that train never met, and an empty history; {_K}{of_corpus} answered",
        [TableColumn(title, numeric=place in (1, 2)) for place, title in enumerate(_COLUMNS)],
        rows,
    )
    return PageSection(
        "cold-start",
        "Where train says nothing",
        "New items have only features, new users nothing. "
        "Are new items recommended, and do new users get popular ones?",
        [table, *_notes(measured)],
    )


def _unseen(facts: Facts, measured: Measurements) -> list[list[str]]:
    """Returns the lines on test rows whose target train never met; none where there is no such row."""
    found = [s for s in measured.slices if (s.name, s.value) == (keys.TARGET_POPULARITY, names.UNSEEN)]
    lift = measured.overall.get(names.UNSEEN_LIFT)
    if not found or lift is None:
        return []
    metrics = found[0].metrics
    rows, accuracy = names.counted_rows(metrics), metrics.get(names.top_k(_K))
    floor = _asked(facts, "unseen_candidates", lambda value: f"{value:g} times chance")
    return [
        [
            f"top_{_K} of {rows:,.0f} test rows whose target train never met",
            format.share(accuracy),
            format.interval(accuracy, rows),
            format.NOTHING,
        ],
        ["that as a multiple of chance", f"{lift:.2f}", format.NOTHING, floor],
    ]


def _newcomer(facts: Facts, measured: Measurements) -> list[str]:
    share = measured.overall[names.POPULAR_SHARE]
    floor = _asked(facts, "empty_history", format.percent)
    return [
        f"empty history: share of the {_K} most popular",
        format.percent(share),
        format.NOTHING,
        floor,
    ]


def _asked(facts: Facts, gate: str, form: Callable[[float], str]) -> str:
    """Returns what a gate asks for, and what happens below it."""
    prefix = f"evaluate.cold_start.{gate}"
    threshold, action = facts.config.get(f"{prefix}.threshold"), facts.config.get(f"{prefix}.action")
    if not isinstance(threshold, int | float) or action == "ignore":
        return format.NOTHING
    return f"at least {form(threshold)} ({action})"


def _notes(measured: Measurements) -> list[Notes]:
    if names.UNSEEN_LIFT in measured.overall:
        return []
    return [
        Notes("plain", ["No test row has a target that train never met, so that new candidates were not measured."])
    ]
