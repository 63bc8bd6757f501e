"""Tables of the index benchmark, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MIN_RECALL = 0.99
_COLUMNS = ("engine", "recall", "p50 µs", "p99 µs", "CPU µs", "200 excluded, p50 µs", "256 at once, queries/s")
_BUILD_COLUMNS = ("build s", "peak MB", "loaded MB", "load average", "parameters")
Record = Mapping[str, Any]


def document(records: Sequence[Record]) -> str:
    """Returns a table per number of candidates: each engine at its quickest point with a recall of 0.99."""
    parts = ["# Index benchmark", ""]
    for size in sorted({record["candidates"] for record in records}):
        of_size = [record for record in records if record["candidates"] == size]
        parts += [f"## {size:,} candidates, 64 dimensions, k 100", ""]
        columns = (*_COLUMNS, *_BUILD_COLUMNS)
        parts += [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
        for engine in dict.fromkeys(record["engine"] for record in of_size):
            parts.append(_row(engine, [record for record in of_size if record["engine"] == engine]))
        parts.append("")
    return "\n".join(parts)


def _row(engine: str, records: Sequence[Record]) -> str:
    single = chosen(records)
    same = [record for record in records if record["params"] == single["params"]]
    excluding = next((it for it in same if it["exclusions"]), None)
    batch = next((it for it in same if it["batch"] == 256), None)
    cells = [
        engine,
        f"{single['recall']:.4f}",
        f"{single['p50_us']:,.0f}",
        f"{single['p99_us']:,.0f}",
        f"{single['cpu_us']:,.0f}",
        f"{excluding['p50_us']:,.0f} (recall {excluding['recall']:.4f})" if excluding else "",
        f"{batch['qps']:,.0f}" if batch else "",
        f"{single['build_seconds']:.1f}",
        f"{single['peak_mb']:,.0f}",
        f"{single['loaded_mb']:,.0f}" if "loaded_mb" in single else "",
        f"{single['load_average']:.1f}" if "load_average" in single else "",
        ", ".join(f"{name} {value}" for name, value in single["params"].items()),
    ]
    return f"| {' | '.join(cells)} |"


def chosen(records: Sequence[Record]) -> Record:
    """Returns an engine's single queries at the first point that reaches the recall, or at its last point."""
    singles = [it for it in records if it["batch"] == 1 and not it["exclusions"]]
    return next((it for it in singles if it["recall"] >= MIN_RECALL), singles[-1])
