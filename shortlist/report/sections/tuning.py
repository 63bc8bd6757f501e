"""What was tried before training, and what came of it."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.blocks import PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.summary import ENDED_BY, Trial


def section(facts: Facts) -> PageSection | None:
    """Returns the trials, best first; None where nothing was searched."""
    tuning = facts.summary.tuning if facts.summary else None
    if tuning is None:
        return None
    data = facts.summary.data if facts.summary else None
    rows = f"{data.rows['eval']:,} eval rows" if data and "eval" in data.rows else "the eval rows"
    lead = (
        f"{len(tuning.trials)} trials in {format.seconds(tuning.seconds)}, {ENDED_BY[tuning.ended_by]}; trial "
        f"{tuning.best} was best by {tuning.objective} on {rows}, and its values were trained with. Trial 1 is the "
        "config itself. A best of many is too high on the rows that chose it: what it is worth is told on the test "
        "rows, which no trial saw."
    )
    names = list(tuning.winner.values)
    columns = [
        TableColumn("trial"),
        TableColumn(tuning.objective),
        *(TableColumn(name) for name in names),
        TableColumn("epochs"),
        TableColumn("seconds"),
        TableColumn("", numeric=False),
    ]
    ordered = sorted(tuning.trials, key=lambda trial: (trial.score is None, -(trial.score or 0.0), trial.number))
    lines = [
        [
            format.count(trial.number),
            format.share(trial.score),
            *(_value(trial, name) for name in names),
            format.count(trial.epochs),
            format.number(trial.seconds),
            "used" if trial.number == tuning.best else trial.problem,
        ]
        for trial in ordered
    ]
    table = TableBlock(f"Trials, best first: {tuning.objective} on {rows}, seen items excluded", columns, lines)
    return PageSection("tuning", "What was tried before", lead, [table])


def _value(trial: Trial, name: str) -> str:
    value = trial.values.get(name)
    return format.number(value) if isinstance(value, float) else format.setting(value)
