"""Time and memory of each step of a run; of steps from the cache, those of the run that did the work."""

from __future__ import annotations

import dataclasses

from shortlist.report import format, plots
from shortlist.report.blocks import Figure, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.summary import Summary


@dataclasses.dataclass(frozen=True)
class _StepCost:
    """Cost of one step."""

    node: str
    seconds: float | None
    """None if the work was done by a run that is not known any more."""
    peak_mb: float | None
    run: str
    """The run that did the work: `this run`, or an id."""


def section(facts: Facts) -> PageSection | None:
    """Returns time and memory per node; None if nothing was timed."""
    summary = facts.summary
    if summary is None or not summary.seconds.components:
        return None
    steps = [_cost(facts, summary, node) for node in summary.seconds.components]
    blocks = [_seconds(steps)]
    if any(step.peak_mb is not None for step in steps):
        blocks.append(_peaks(steps))
    return PageSection("costs", "Time and memory", _lead(facts, summary), blocks)


def _lead(facts: Facts, summary: Summary) -> str:
    own = f"{format.seconds(summary.seconds.total)} in all, peak memory {summary.peak_rss_mb / 1024:.1f} GiB"
    if not summary.cached:
        return f"{own}."
    steps = "All steps" if facts.unchanged else f"{len(summary.cached)} steps"
    return f"{own}. {steps} came from the cache; their time and memory are those of the run that did the work."


def _cost(facts: Facts, summary: Summary, node: str) -> _StepCost:
    if node not in summary.cached:
        return _StepCost(node, summary.seconds.components[node], summary.node_peaks_mb.get(node), "this run")
    producer = facts.producers.get(node)
    if producer is None:
        return _StepCost(node, None, None, "an earlier run")
    worker = facts.worker_summaries.get(producer.run_id)
    if worker is None or node in worker.cached:
        return _StepCost(node, producer.seconds, None, producer.run_id)
    seconds = worker.seconds.components.get(node, producer.seconds)
    return _StepCost(node, seconds, worker.node_peaks_mb.get(node), producer.run_id)


def _seconds(steps: list[_StepCost]) -> Figure:
    known = [step for step in steps if step.seconds is not None]
    # Bars under half a second would be invisible; the table has all nodes.
    plotted = [step for step in known if (step.seconds or 0.0) >= 0.5] or known
    total = sum(step.seconds or 0.0 for step in known)
    rows = [
        [
            step.node,
            format.NOTHING if step.seconds is None else f"{step.seconds:.1f}",
            format.percent(step.seconds / total if step.seconds is not None and total else None),
            step.run,
        ]
        for step in steps
    ]
    return Figure(
        "Seconds per step",
        "Steps in the order of their runs. Only the table has steps under half a second.",
        lambda: [plots.bars([step.node for step in plotted], [step.seconds for step in plotted], "seconds")],
        TableBlock(
            f"Seconds per step; share of {total:,.1f} s, the sum of all steps",
            [
                TableColumn("step", numeric=False),
                TableColumn("seconds"),
                TableColumn("share"),
                TableColumn("work done by", numeric=False),
            ],
            rows,
        ),
    )


def _peaks(steps: list[_StepCost]) -> Figure:
    known = [step for step in steps if step.peak_mb is not None]
    plotted = [step for step in known if (step.seconds or 0.0) >= 0.5] or known
    return Figure(
        "Peak memory per step",
        "Peak memory of the process that runs all steps. It includes memory that earlier steps left behind.",
        lambda: [
            plots.bars(
                [step.node for step in plotted], [step.peak_mb for step in plotted], "peak resident memory, MB", 1
            )
        ],
        TableBlock(
            "Peak resident memory of the process while a step ran",
            [TableColumn("step", numeric=False), TableColumn("MB")],
            [[step.node, format.count(step.peak_mb)] for step in known],
        ),
    )
