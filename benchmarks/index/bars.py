"""Ratios of Shortlist to its peers, with the bar and the goal of each."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.index import table

Record = Mapping[str, Any]
_SEARCHERS = "shortlist scann, 3 searchers"


@dataclasses.dataclass(frozen=True)
class Bar:
    """A figure to reach."""

    name: str
    bar: str
    goal: str
    measure: Callable[[_Cells], float | None]
    """Returns the figure at one size, or None if a cell is missing."""
    digits: int = 2


@dataclasses.dataclass(frozen=True)
class _Cells:
    """The records of one size."""

    records: Sequence[Record]

    def at(self, engine: str, batch: int = 1, excluding: bool = False) -> Record | None:
        """Returns an engine's record at its chosen point."""
        own = [it for it in self.records if it["engine"] == engine]
        if not own:
            return None
        params = table.chosen(own)["params"]
        wanted = (params, batch, excluding)
        return next((it for it in own if (it["params"], it["batch"], it["exclusions"] > 0) == wanted), None)

    def binding(self) -> Record | None:
        """Returns the quickest single queries of ScaNN's binding with no less recall than Shortlist's."""
        served = self.at("shortlist scann")
        singles = [
            it for it in self.records if it["engine"] == "scann binding" and it["batch"] == 1 and not it["exclusions"]
        ]
        enough = [it for it in singles if served and it["recall"] >= served["recall"]]
        return min(enough, key=lambda it: float(it["p50_us"])) if enough else None


def _over(first: Record | None, second: Record | None, key: str = "p50_us", less: Record | None = None) -> float | None:
    if first is None or second is None:
        return None
    return (float(first[key]) - (float(less[key]) if less else 0.0)) / float(second[key])


def _less_empty(cells: _Cells, key: str = "p50_us") -> float | None:
    empty = cells.at("empty signature")
    return _over(cells.at("shortlist scann"), cells.binding(), key, empty) if empty else None


def _of_build(key: str) -> Callable[[_Cells], float | None]:
    def measure(cells: _Cells) -> float | None:
        record = cells.at("shortlist scann")
        return float(record[key]) if record else None

    return measure


def _memory(cells: _Cells) -> float | None:
    record = cells.at("shortlist scann")
    if record is None or "loaded_mb" not in record:
        return None
    return float(record["loaded_mb"]) * 2**20 / (record["candidates"] * record["dim"] * 4)


def _searchers(cells: _Cells) -> float | None:
    first, second = cells.at(_SEARCHERS), cells.at("shortlist scann")
    return float(first["recall"]) - float(second["recall"]) if first and second else None


def _over_tfrs(engine: str, batch: int, key: str, cells: _Cells) -> float | None:
    return _over(cells.at(engine, batch), cells.at("tfrs brute force", batch), key)


BARS = (
    Bar(
        "`serving_default`, single queries, over ScaNN's binding at the same recall (p50)",
        "4",
        "2",
        lambda cells: _over(cells.at("shortlist scann"), cells.binding()),
    ),
    Bar("the same, less the time of an empty signature", "", "", _less_empty),
    Bar(
        "the same, by CPU time, less that of an empty signature",
        "",
        "",
        lambda cells: _less_empty(cells, "cpu_us"),
    ),
    Bar(
        "with 200 exclusions, over the binding with a NumPy filter (p50)",
        "3",
        "1.5",
        lambda cells: _over(cells.at("shortlist scann", excluding=True), cells.at("scann binding", excluding=True)),
    ),
    Bar(
        "batches of 256, queries a second over the binding's",
        "at least 0.8",
        "1",
        lambda cells: _over(cells.at("shortlist scann", 256), cells.at("scann binding", 256), "qps"),
    ),
    Bar(
        "the same, by CPU time: the binding's over Shortlist's",
        "",
        "",
        lambda cells: _over(cells.at("scann binding", 256), cells.at("shortlist scann", 256), "cpu_us"),
    ),
    *(
        Bar(
            f"exact, {name}, over TFRS ({by})",
            "1.15" if key == "p50_us" else "",
            "",
            functools.partial(_over_tfrs, engine, batch, key),
        )
        for name, engine in (("the search alone", "shortlist exact layer"), ("`serving_default`", "shortlist exact"))
        for batch in (1, 64)
        for key in ("p50_us", "cpu_us")
        for by in [f"batches of {batch}, {'p50' if key == 'p50_us' else 'CPU'}"]
    ),
    Bar("tune, build and both exports, seconds", "60 at a million", "40", _of_build("build_seconds"), 1),
    Bar("the same, peak MB of the process", "2,500 at a million", "1,500", _of_build("peak_mb"), 0),
    Bar("memory of the loaded model over its vectors' bytes", "3", "2", _memory),
    Bar("recall of 3 searchers less that of one", "at least -0.002", "", _searchers, 4),
)


def document(records: Sequence[Record]) -> str:
    """Returns a table with a row per bar and a column per number of candidates."""
    sizes = sorted({record["candidates"] for record in records})
    columns = ["figure", *(f"{size:,}" for size in sizes), "bar", "goal"]
    lines = ["## Bars", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    for bar in BARS:
        values = [bar.measure(_Cells([it for it in records if it["candidates"] == size])) for size in sizes]
        cells = ["" if value is None else f"{value:,.{bar.digits}f}" for value in values]
        lines.append(f"| {' | '.join([bar.name, *cells, bar.bar, bar.goal])} |")
    return "\n".join([*lines, ""])
