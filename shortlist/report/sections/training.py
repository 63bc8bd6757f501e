"""The course of training, by evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shortlist.report import format, plots, protocol
from shortlist.report.blocks import Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

METRICS = ("ndcg_at_10", "top_10")
LOSSES = ("loss", "eval_loss")
_TITLES = {
    "ndcg_at_10": "NDCG@10",
    "top_10": "HR@10",
    "loss": "train loss",
    "eval_loss": "eval loss",
    "learning_rate": "learning rate",
}


def section(facts: Facts) -> PageSection | None:
    """Returns the curves; None if there is no training log."""
    log = facts.training
    if not log:
        return None
    rows = facts.eval_rows
    best = best_position(log)
    lead = f"{log[-1].get('epoch')} epochs, {format.count(log[-1].get('step'))} steps"
    if "seconds" in log[-1]:
        lead += f", {format.seconds(log[-1]['seconds'])}"
    if best is not None:
        lead += (
            f"; the weights are those of epoch {log[best].get('epoch')}, the best by NDCG@10 on {rows}, "
            "marked by a ring"
        )
    losses = [name for name in LOSSES if any(entry.get(name) is not None for entry in log)]
    figures = [
        Figure(
            "NDCG@10 and HR@10 by epoch",
            f"On {rows}, seen items excluded; a ring marks the best epoch.",
            lambda: [plots.lines(_metric_lines(log), "epoch", f"on {rows}")],
            _table(log, rows, ("epoch", "step", "ndcg_at_10", "top_10")),
        ),
        Figure(
            "Loss by epoch",
            _loss_description(log, rows),
            lambda: [plots.lines([line(log, name) for name in losses], "epoch", "loss")],
            _table(log, "train", ("epoch", "step", *losses, "learning_rate", "seconds")),
        ),
    ]
    lead += "."
    if facts.summary is not None and facts.summary.warm_start is not None:
        lead += f" {protocol.warm_start_sentence(facts.summary.warm_start)}."
    return PageSection("training", "Training", lead, figures)


def _loss_description(log: list[dict[str, Any]], rows: str) -> str:
    train = "Mean train loss since the previous evaluation, with dropout"
    if all(entry.get("eval_loss") is None for entry in log):
        return f"{train}."
    return (
        f"{train}, and the same loss on {rows}, without it. Eval loss that rises while train loss falls: overfitting."
    )


def best_position(log: list[dict[str, Any]]) -> int | None:
    """Returns the position of the best evaluation, the first of equal ones; None if eval has no rows."""
    known = [position for position, line in enumerate(log) if line.get("ndcg_at_10") is not None]
    return max(known, key=lambda position: (log[position]["ndcg_at_10"], -position), default=None)


def line(log: list[dict[str, Any]], name: str, label: str = "") -> plots.PlotLine:
    """Returns a metric by epoch with the best evaluation marked; the label is the metric's title by default."""
    best = best_position(log)
    positions = [position for position, entry in enumerate(log) if entry.get(name) is not None]
    marked = positions.index(best) if best in positions else None
    epochs, values = ([log[position][key] for position in positions] for key in ("epoch", name))
    return plots.PlotLine(label or _TITLES.get(name, name), epochs, values, marked)


def _metric_lines(log: list[dict[str, Any]]) -> list[plots.PlotLine]:
    lines = [line(log, name) for name in METRICS]
    return [line for line in lines if line.x] or [plots.PlotLine(METRICS[0], [], [])]


_FORMS: dict[str, Callable[[Any], str]] = {
    "epoch": format.count,
    "step": format.count,
    "ndcg_at_10": format.share,
    "top_10": format.share,
}


def _table(log: list[dict[str, Any]], rows: str, columns: Sequence[str]) -> TableBlock:
    lines = [[_FORMS.get(name, format.number)(line.get(name)) for name in columns] for line in log]
    titles = [TableColumn(_TITLES.get(name, name)) for name in columns]
    return TableBlock(f"Evaluations while training, on {rows}", titles, lines)
