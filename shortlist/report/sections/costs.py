"""What a run costs: time and memory of each step."""

from __future__ import annotations

from shortlist.report import format, plots
from shortlist.report.blocks import Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns time and memory a node; None where nothing was timed."""
    summary = facts.summary
    if summary is None or not summary.seconds.components:
        return None
    seconds, peaks = summary.seconds.components, summary.node_peaks_mb
    cached = set(summary.cached)
    # What took no time nobody needs to see in the plot; the table has all.
    told = [node for node, value in seconds.items() if value >= 0.5] or list(seconds)
    total = summary.seconds.total
    blocks = [
        Figure(
            "Seconds a step",
            "In the order in which they ran; steps under half a second are left to the table.",
            lambda: [plots.bars(told, [seconds[node] for node in told], "seconds")],
            TableBlock(
                f"Steps of the run, share of {total:,.1f} s",
                [
                    TableColumn("step", numeric=False),
                    TableColumn("seconds"),
                    TableColumn("of the run"),
                    TableColumn("from", numeric=False),
                ],
                [
                    [node, f"{value:.1f}", format.percent(value / total if total else None), _from(node, cached)]
                    for node, value in seconds.items()
                ],
            ),
        )
    ]
    if peaks:
        blocks.append(
            Figure(
                "Peak memory a step",
                "Of the one process that runs them all: a step's peak counts what the steps before it left in memory.",
                lambda: [plots.bars(told, [peaks.get(node) for node in told], "peak resident memory, MB", 1)],
                TableBlock(
                    "Peak resident memory of the process while a step ran",
                    [TableColumn("step", numeric=False), TableColumn("MB")],
                    [[node, format.count(peak)] for node, peak in peaks.items()],
                ),
            )
        )
    return PageSection(
        "costs",
        "Time and memory",
        f"{format.seconds(total)} in all, peak memory {summary.peak_rss_mb / 1024:.1f} GiB.",
        blocks,
    )


def _from(node: str, cached: set[str]) -> str:
    return "cache" if node in cached else "this run"
