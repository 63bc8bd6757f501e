"""The measurements of the server that were made, in a file that a later run goes on with, and their table."""

from __future__ import annotations

import json
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

Cell = Mapping[str, Any]


class Cells:
    """Measurements by name, in `serving.json`; `serving.md` beside it is their table."""

    def __init__(self, path: pathlib.Path) -> None:
        """Reads the file, if it is there."""
        self._path = path
        self._cells: dict[str, Cell] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def measure(self, name: str, settings: Cell, run: Callable[[], Cell], again: bool = False) -> Cell:
        """Measures a cell, unless that is done, writes the file and returns the cell.

        Args:
          name: Its name.
          settings: What it was measured with, such as `seconds`; recorded.
          run: Returns the figures.
          again: Whether a cell is measured that is there.
        """
        if again or name not in self._cells:
            before = {"load_average_before": round(os.getloadavg()[0], 2), "at": time.strftime("%Y-%m-%dT%H:%M:%S")}
            self._cells[name] = {**settings, **before, **run()}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._cells, indent=2) + "\n", encoding="utf-8")
            self._path.with_suffix(".md").write_text(table(self._cells), encoding="utf-8")
        return self._cells[name]


def table(cells: Mapping[str, Cell]) -> str:
    """Returns the cells beside the bars, as Markdown."""
    lines = ["| what | bar; goal | measured | seconds | load before |", "|---|---|---|---:|---:|"]
    for name, (title, bar, text) in _ROWS.items():
        cell = cells.get(name.split(":")[0])
        if cell is not None:
            facts = f"{cell.get('seconds', '')} | {cell['load_average_before']}"
            lines.append(f"| {title} | {bar} | {text(cell)} | {facts} |")
    return "\n".join(lines) + "\n"


def _load(cell: Cell) -> str:
    return f"{cell['requests_per_second']:,.0f}/s, p50 {cell['p50_ms']}, p99 {cell['p99_ms']} ms, {cell['lost']} lost"


def _over_in_process(cell: Cell) -> str:
    """Returns the difference of the two p50."""
    both = f"{cell['p50_ms']} against {cell['in_process']['p50_ms']}"
    return f"{cell['p50_ms'] - cell['in_process']['p50_ms']:.2f} ms ({both})"


def _overload(cell: Cell) -> str:
    twice = cell["twice"]
    return f"{cell['share']:.0%} of {cell['closed_loop']:,.0f}/s; p99 of the answers {twice['p99_ms']} ms"


def _swaps(cell: Cell) -> str:
    clients, random = cell["16_clients"], cell["500_per_second"]
    lost = clients["lost"] + random["statuses"].get("lost", 0)
    share = f"{clients['versions_that_took_traffic']:.0f} of {clients['versions']} versions took over"
    return f"p99 {clients['p99_ms']:.1f} and {random['p99_ms']} ms, {lost} lost; {share}"


_ROWS: Mapping[str, tuple[str, str, Callable[[Cell], str]]] = {
    "large": ("one client, 200,000 candidates, 50 exclusions", "p50 8, p99 20 ms; 3, 8", _load),
    "large:ready": ("... start to ready", "15 s; 6", lambda cell: f"{cell['ready_seconds']} s"),
    "large:over": ("... HTTP over in process, p50", "2 ms; 0.7", _over_in_process),
    "clients": ("16 clients", "500/s at p99 50 ms; 1,200", _load),
    "clients:memory": ("... memory after each quarter", "± 5%", lambda cell: f"{cell['memory_mb']} MB"),
    "one": ("one client", "", _load),
    "one:ready": ("... start to ready", "15 s; 6", lambda cell: f"{cell['ready_seconds']} s"),
    "one:over": ("... HTTP over in process, p50", "2 ms; 0.7", _over_in_process),
    "overload": ("twice the load, open loop", "80% of the best", _overload),
    "swaps": ("a version every 5 s, 16 clients and 500/s", "p99 100 ms; 50", _swaps),
    "reloads": (
        "versions that take over",
        "memory flat",
        lambda cell: f"{cell['versions']}: {cell['first_mb']} to {cell['last_mb']} MB, at most {cell['most_mb']}",
    ),
}
