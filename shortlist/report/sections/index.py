"""The served index: recall against exact search, and latency."""

from __future__ import annotations

from typing import Any

from shortlist.lineage.settings import flat
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing
from shortlist.report import format, plots
from shortlist.report.blocks import Block, Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts

_FARTHEST = 8
"""Largest latency in the plot, as a multiple of the slowest trial's."""


def section(facts: Facts) -> PageSection | None:
    """Returns the measurements of the index; None if no index was built."""
    index = facts.index
    if not index:
        return None
    k = index.get("k")
    rows = [
        ("kind", str(index.get("kind")), index.get("reason") or "as configured and measured"),
        (f"recall@{k}", format.share(index.get("recall_at_k")), f"mean over {test_rows(index)}, exclusions applied"),
        (f"recall@{k} while tuning", format.share(index.get("eval_recall_at_k")), "mean over eval queries"),
        ("candidates", format.count(index.get("corpus_size")), "in the index"),
        (
            "p50",
            format.milliseconds(index.get("p50_ms")),
            "of 300 calls of the exported signature, one query at a time, this machine",
        ),
        ("p99", format.milliseconds(index.get("p99_ms")), "of the same calls"),
        *(
            (name.replace("_", " "), format.setting(value), "parameter")
            for name, value in sorted(flat(index.get("params") or {}).items())
        ),
    ]
    blocks: list[Block] = [
        TableBlock(
            "Index parameters, recall and latency",
            [TableColumn("figure", numeric=False), TableColumn("value"), TableColumn("basis", numeric=False)],
            [row for row in rows if row[1] != format.NOTHING],
        )
    ]
    figure = _trials(index)
    if figure is not None:
        blocks.append(figure)
    check = _check(facts)
    if check is not None:
        blocks.append(check)
    return PageSection(
        "index",
        "Index",
        f"Recall of the {index.get('kind')} index against exact search, and its latency per query.",
        blocks,
    )


def _trials(index: dict[str, Any]) -> Figure | None:
    """Returns recall against latency of the tuning's trials; None for exact search and for older versions."""
    trials = [trial for trial in index.get("trials") or [] if "p50_ms" in trial]
    if not trials:
        return None
    trials.sort(key=lambda trial: (trial["p50_ms"], trial["recall"]))
    k, params = index.get("k"), index.get("params") or {}
    chosen = [all(trial[name] == params.get(name) for name in ("leaves_to_search", "reorder")) for trial in trials]
    lines = [
        plots.PlotLine(
            "ScaNN, by leaves searched",
            [trial["p50_ms"] for trial in trials],
            [trial["recall"] for trial in trials],
            marked=chosen.index(True) if any(chosen) else None,
            # Latencies of a small index are equal but for noise, and a line would go to and fro.
            joined=False,
        )
    ]
    rows = [
        [
            format.count(trial["leaves_to_search"]),
            format.count(trial["reorder"]),
            format.share(trial["recall"]),
            format.milliseconds(trial["p50_ms"]),
            "chosen" if is_chosen else "",
        ]
        for trial, is_chosen in zip(trials, chosen, strict=True)
    ]
    if "exact_p50_ms" in index:
        # Further to the right it would leave the trials no room.
        if index["exact_p50_ms"] <= _FARTHEST * trials[-1]["p50_ms"]:
            lines.append(plots.PlotLine("exact search", [index["exact_p50_ms"]], [1.0], joined=False))
        rows.append(["all", "all", format.share(1.0), format.milliseconds(index["exact_p50_ms"]), "exact search"])
    goal = (
        f" The recall had to exceed {format.share(index['min_recall'])} by a margin." if "min_recall" in index else ""
    )
    return Figure(
        "Recall against latency",
        "Each dot is a number of searched leaves, with the fewest rescored candidates that reach the recall. A ring "
        "marks the chosen parameters. The latency is the median of 50 searches of one query on this machine, without "
        f"the query tower; it was measured after the choice and decided nothing.{goal}",
        lambda: [plots.lines(lines, "p50 in ms", f"recall@{k} on eval queries")],
        TableBlock(
            "Trials of the tuning, by latency",
            [
                TableColumn("leaves searched"),
                TableColumn("rescored"),
                TableColumn(f"recall@{k}"),
                TableColumn("p50"),
                TableColumn("", numeric=False),
            ],
            rows,
        ),
    )


def _check(facts: Facts) -> TableBlock | None:
    """Returns the serving check's measurements of the export, from clean processes."""
    execution = facts.nodes.get(nodes.SERVING_CHECK)
    if execution is None:
        return None
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return None
    figures = flat(blessing.figures)
    rows = [
        [name.replace(".", ", ").replace("_", " "), format.number(value)]
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if not rows:
        return None
    return TableBlock(
        "Serving check: both exports in clean processes",
        [TableColumn("figure", numeric=False), TableColumn("value")],
        rows,
    )


def test_rows(index: dict[str, Any]) -> str:
    """Returns the number of test rows of the recall in words; older versions did not record the number."""
    if "test_queries" not in index:
        return "test rows"
    return f"{index['test_queries']:,} test rows"
