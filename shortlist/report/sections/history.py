"""The hit rate of the latest runs."""

from __future__ import annotations

from shortlist.lineage.measurements import Measurements, measurements
from shortlist.metrics import names
from shortlist.records import nodes
from shortlist.report import format, plots
from shortlist.report.blocks import Figure, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.report.sections.accuracy import hit_rate, share_series
from shortlist.report.sections.verdict import gate_k, outcome_word
from shortlist.runs.record import Record
from shortlist.summary import Summary

_TITLES = ("run", "model", "95% interval", "most popular", "test rows", "outcome")
_MOST_LEVEL_LABELS = 4
# In inches: the plot and what stands above it fit on the first screen.
_HEIGHT = 2.2


def figure(facts: Facts) -> Figure | None:
    """Returns the gates' hit rate over the latest runs up to this one; None if none of them measured a model."""
    k = gate_k(facts)
    name = names.top_k(k, with_seen=facts.with_seen)
    measured = [(run, found) for run in facts.history if (found := _measured(run)) and name in found.overall]
    if not measured or facts.summary is None:
        return None
    same = [_same_rows(run.summary, facts.summary) for run, _ in measured]
    rows = [found.all_rows if facts.with_seen else found.rows for _, found in measured]
    values = [found.overall[name] for _, found in measured]
    popular = [found.popularity.get(name) for _, found in measured]
    series = [
        share_series("model", [value if known else None for value, known in zip(values, same, strict=True)], rows),
        plots.Series("most popular", popular),
    ]
    if not all(same):
        others = [None if known else value for value, known in zip(values, same, strict=True)]
        series.append(share_series("model on other rows", others, rows))
    lines = [
        [
            run.run_id,
            format.share(value),
            format.interval(value, count),
            format.share(baseline),
            f"{count:,.0f}{'' if known else ', others'}",
            outcome_word(run.status),
        ]
        for (run, _), value, count, baseline, known in zip(measured, values, rows, popular, same, strict=True)
    ]
    labels = [_label(run) for run, _ in measured]
    return Figure(
        f"{hit_rate(k)} over the latest runs",
        "Each run that measured a model, with its 95% interval; a ring marks the model of this run.",
        lambda: [
            plots.dots(
                labels,
                series,
                hit_rate(k),
                marked=_position(measured, facts),
                slanted=len(labels) > _MOST_LEVEL_LABELS,
                height=_HEIGHT,
            )
        ],
        TableBlock(
            f"{hit_rate(k)} of the latest runs that measured a model, the oldest first",
            [TableColumn(title, numeric=title not in ("run", "outcome")) for title in _TITLES],
            lines,
        ),
    )


def _measured(run: Record) -> Measurements | None:
    return measurements(None, run.summary)


def _position(measured: list[tuple[Record, Measurements]], facts: Facts) -> int | None:
    """Returns the position of the run that measured this run's model, which may be an earlier one."""
    evaluator = facts.producers.get(nodes.EVALUATOR)
    run_id = evaluator.run_id if evaluator else facts.run_id
    return next((number for number, (run, _) in enumerate(measured) if run.run_id == run_id), None)


def _same_rows(summary: Summary | None, own: Summary) -> bool:
    """Returns whether a run had the data and the split of this one, so that both were tested on the same rows."""
    if summary is None:
        return False
    same_data = summary.fingerprints.data == own.fingerprints.data and summary.data == own.data
    return same_data and summary.protocol == own.protocol


def _label(run: Record) -> str:
    return f"{run.started:%m-%d %H:%M}" if run.started else format.shorten(run.run_id, 12)
