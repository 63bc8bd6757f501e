"""Time and memory of each step of a run."""

from __future__ import annotations

from shortlist.report import format, plots
from shortlist.report.blocks import Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns time and memory per node; None if nothing was timed."""
    summary = facts.summary
    if summary is None or not summary.seconds.components:
        return None
    seconds, peaks = summary.seconds.components, summary.node_peaks_mb
    cached = set(summary.cached)
    # Bars under half a second would be invisible; the table has all nodes.
    plotted = [node for node, value in seconds.items() if value >= 0.5] or list(seconds)
    total = summary.seconds.total
    blocks = [
        Figure(
            "Seconds per step",
            "Steps in the order of their runs. Only the table has steps under half a second.",
            lambda: [plots.bars(plotted, [seconds[node] for node in plotted], "seconds")],
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
                "Peak memory per step",
                "Peak memory of the process that runs all steps. It includes memory that earlier steps left behind.",
                lambda: [plots.bars(plotted, [peaks.get(node) for node in plotted], "peak resident memory, MB", 1)],
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
