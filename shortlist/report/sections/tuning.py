"""Trials of the hyperparameter search."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.blocks import PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.summary import ENDED_BY, Trial


def section(facts: Facts) -> PageSection | None:
    """Returns the trials, best first; None if no search ran."""
    tuning = facts.summary.tuning if facts.summary else None
    if tuning is None:
        return None
    rows = facts.eval_rows
    lead = (
        f"{len(tuning.trials)} trials in {format.seconds(tuning.seconds)}; the search ended at "
        f"{ENDED_BY[tuning.ended_by]}. Trial {tuning.best} was best by {tuning.objective} on {rows}; the model was "
        "trained with its values. Trial 1 has the config's own values. The best of many trials looks too good on the "
        "rows that chose it. The metrics on test rows, which no trial used, are free of that bias."
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
    # Failed trials have no score and come last.
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
    return PageSection("tuning", "Hyperparameter search", lead, [table])


def _value(trial: Trial, name: str) -> str:
    value = trial.values.get(name)
    if isinstance(value, float):
        return format.number(value)
    return format.setting(value)
