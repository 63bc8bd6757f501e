"""Table of the results of all cells."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.metrics import names


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Returns a row per span: both trainings, the difference of their HR@10 and the ratio of their times.

    The first span is left out, because both trainings are the same there. `±` is the standard error of the mean
    difference over the seeds, which share their data; with one seed there is none.

    Args:
      results: Contents of the cells' files.
    """
    by_cell = {(cell["span"], cell["seed"], cell["chain"]): cell for cell in results}
    lines = [
        "| span | train rows | new candidates | seeds | HR@10 scratch | HR@10 warm | difference | epochs | seconds "
        "| ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for span in sorted({cell["span"] for cell in results if cell["span"] > 1}):
        seeds = [
            seed
            for seed in sorted({cell["seed"] for cell in results})
            if all((span, seed, chain) in by_cell for chain in ("scratch", "warm"))
        ]
        pairs = [(by_cell[span, seed, "scratch"], by_cell[span, seed, "warm"]) for seed in seeds]
        if not pairs:
            continue
        scratch, warm = ([_hit_rate(pair[side]) for pair in pairs] for side in (0, 1))
        seconds = [statistics.mean(pair[side]["training"]["seconds"] for pair in pairs) for side in (0, 1)]
        epochs = [statistics.mean(pair[side]["training"]["epochs"] for pair in pairs) for side in (0, 1)]
        lines.append(
            f"| {span} | {pairs[0][1]['train_rows']:,} | {pairs[0][1]['new_candidates']:,} | {len(pairs)} "
            f"| {statistics.mean(scratch):.4f} | {statistics.mean(warm):.4f} "
            f"| {_difference(scratch, warm)} | {epochs[0]:.0f}, {epochs[1]:.0f} "
            f"| {seconds[0]:.0f}, {seconds[1]:.0f} | {seconds[1] / seconds[0]:.2f} |"
        )
    return "\n".join(lines)


def _hit_rate(cell: Mapping[str, Any]) -> float:
    return float(cell["metrics"][names.top_k(10)])


def _difference(scratch: Sequence[float], warm: Sequence[float]) -> str:
    differences = [after - before for before, after in zip(scratch, warm, strict=True)]
    text = f"{statistics.mean(differences):+.4f}"
    if len(differences) > 1:
        text += f" ± {statistics.stdev(differences) / len(differences) ** 0.5:.4f}"
    return text
