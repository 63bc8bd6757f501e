"""Prints where a model is good and where not: its accuracy by slice, beside that of "most popular"."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.evaluator import names
from shortlist.cli.plain import plain
from shortlist.intervals import wilson
from shortlist.summary import Metrics

_TOP_10 = names.top_k(10)
_POPULAR_10 = names.top_k(10, names.POPULARITY_FAMILY)
_MOST_VALUES = 5


def print_slices(metrics: Metrics, console: Console) -> None:
    """Prints a line a slice; nothing where every row is in the same one, or where top_10 was not asked for."""
    families = _families(metrics)
    if not families or _TOP_10 not in metrics.overall:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("top_10 by slice")
    for title in ("rows", "model", "95% (Wilson)", "most popular"):
        table.add_column(title, justify="right")
    for name, entries in families.items():
        for value, of_slice in entries[:_MOST_VALUES]:
            low, high = wilson(of_slice[_TOP_10], of_slice["example_count"])
            cells = [f"{of_slice['example_count']:,.0f}", f"{of_slice[_TOP_10]:.4f}", f"{low:.3f} to {high:.3f}"]
            table.add_row(Text(plain(f"{name}: {value}")), *cells, f"{of_slice[_POPULAR_10]:.4f}")
    console.print()
    console.print(table)
    more = sum(max(len(entries) - _MOST_VALUES, 0) for entries in families.values())
    if more:
        console.print(f"[dim]{more} smaller slices are in the summary[/]")


def _families(metrics: Metrics) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Returns (value, metrics) by slice name; of many values the largest slices first."""
    families: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for entry in metrics.slices:
        keys: Any = entry["slice"]
        ((name, value),) = keys.items()
        families.setdefault(name, []).append((str(value), entry["metrics"]))  # type: ignore[arg-type]
    for entries in families.values():
        if len(entries) > _MOST_VALUES:
            entries.sort(key=lambda item: -item[1]["example_count"])
    return {name: entries for name, entries in families.items() if len(entries) > 1}
