"""Accuracy by slice, beside that of "most popular"."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from shortlist.metrics import names
from shortlist.metrics.intervals import wilson
from shortlist.summary import Metrics
from shortlist.text_tables import TextColumn, print_table
from shortlist.verdicts import hit_rate

_K = 10
_MOST_VALUES = 5


def reported_ks(metrics: Metrics) -> list[int]:
    """Returns all K with a top_K of the model, sorted."""
    # The text before and after K in the metric's name.
    prefix, suffix = names.top_k(0).split("0")
    ks = [name.removeprefix(prefix).removesuffix(suffix) for name in metrics.overall if name.startswith(prefix)]
    return sorted(int(k) for k in ks if k.isdigit())


def print_slices(metrics: Metrics, console: Console, with_seen: bool = False) -> None:
    """Prints one line per slice, for top_10 or else the smallest K; slices that contain all rows are left out.

    Args:
      metrics: Metrics of the run.
      console: Where to print.
      with_seen: Whether to print the metrics with seen items, which count all rows.
    """
    families, ks = _families(metrics, with_seen), reported_ks(metrics)
    if not families or not ks:
        return
    k = _K if _K in ks else ks[0]
    own, popular = (names.top_k(k, family, with_seen) for family in (names.MODEL_FAMILY, names.POPULARITY_FAMILY))
    rows = []
    for name, entries in families.items():
        for value, values in entries[:_MOST_VALUES]:
            count = names.rows_of(values, with_seen)
            low, high = wilson(values[own], count)
            cells = [f"{count:,.0f}", f"{values[own]:.4f}", f"{low:.3f} to {high:.3f}", f"{values[popular]:.4f}"]
            rows.append([f"{name}: {value}", *cells])
    columns = [
        TextColumn(f"{hit_rate(own)} by slice", right=False, wraps=True),
        TextColumn("rows"),
        TextColumn("model"),
        TextColumn("95% (Wilson)", drop=1),
        TextColumn("most popular"),
    ]
    console.print()
    print_table(console, columns, rows)
    more = sum(max(len(entries) - _MOST_VALUES, 0) for entries in families.values())
    if more:
        console.print(f"{more} smaller slices are in the summary", style="dim")


def _families(metrics: Metrics, with_seen: bool) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Returns (value, metrics) by slice name; if there are many values, the largest slices come first."""
    families: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for entry in metrics.slices:
        keys: Any = entry["slice"]
        ((name, value),) = keys.items()
        of_slice: Any = entry["metrics"]
        # The targets of the others had all been seen before.
        if names.rows_of(of_slice, with_seen):
            families.setdefault(name, []).append((str(value), of_slice))
    for entries in families.values():
        if len(entries) > _MOST_VALUES:
            entries.sort(key=lambda item: -names.rows_of(item[1], with_seen))
    return {name: entries for name, entries in families.items() if len(entries) > 1}
