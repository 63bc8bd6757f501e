"""How training went, evaluation by evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shortlist.report import format, plots
from shortlist.report.blocks import Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

METRICS = ("ndcg_at_10", "top_10")


def section(facts: Facts) -> PageSection | None:
    """Returns the curves; None where no training is known."""
    log = facts.training
    if not log:
        return None
    data = facts.summary.data if facts.summary else None
    rows = f"{data.rows['eval']:,} eval rows" if data and "eval" in data.rows else "the eval rows"
    best = best_position(log)
    lead = f"{log[-1].get('epoch')} epochs, {format.count(log[-1].get('step'))} steps"
    if "seconds" in log[-1]:
        lead += f", {format.seconds(log[-1]['seconds'])}"
    if best is not None:
        lead += (
            f"; the weights are those of epoch {log[best].get('epoch')}, the best by ndcg_at_10 on {rows}, "
            "which is ringed"
        )
    figures = [
        Figure(
            "Eval metrics",
            f"ndcg_at_10 and top_10 on {rows} by epoch, seen items excluded; the best epoch is ringed.",
            lambda: [plots.lines(_metric_lines(log), "epoch", f"on {rows}")],
            _table(log, rows, ("epoch", "step", "ndcg_at_10", "top_10")),
        ),
        Figure(
            "Loss",
            "Mean loss on train since the evaluation before, by epoch.",
            lambda: [plots.lines([line(log, "loss")], "epoch", "loss on train")],
            _table(log, "train", ("epoch", "step", "loss", "learning_rate", "seconds")),
        ),
    ]
    return PageSection("training", "How training went", f"{lead}.", figures)


def best_position(log: list[dict[str, Any]]) -> int | None:
    """Returns the place of the best evaluation, the first of equals; None where eval has no rows."""
    known = [place for place, line in enumerate(log) if line.get("ndcg_at_10") is not None]
    return max(known, key=lambda place: (log[place]["ndcg_at_10"], -place), default=None)


def line(log: list[dict[str, Any]], name: str, called: str = "") -> plots.PlotLine:
    """Returns a metric by epoch with its best evaluation marked; `called` is its name, unless its own."""
    best = best_position(log)
    places = [place for place, line in enumerate(log) if line.get(name) is not None]
    marked = places.index(best) if best in places else None
    return plots.PlotLine(
        called or name, [log[place]["epoch"] for place in places], [log[place][name] for place in places], marked
    )


def _metric_lines(log: list[dict[str, Any]]) -> list[plots.PlotLine]:
    found = [line(log, name) for name in METRICS]
    return [line for line in found if line.x] or [plots.PlotLine(METRICS[0], [], [])]


_FORMS: dict[str, Callable[[Any], str]] = {
    "epoch": format.count,
    "step": format.count,
    "ndcg_at_10": format.share,
    "top_10": format.share,
}


def _table(log: list[dict[str, Any]], rows: str, columns: Sequence[str]) -> TableBlock:
    lines = [[_FORMS.get(name, format.number)(line.get(name)) for name in columns] for line in log]
    titles = [TableColumn(name.replace("learning_rate", "learning rate")) for name in columns]
    return TableBlock(f"Evaluations while training, on {rows}", titles, lines)
