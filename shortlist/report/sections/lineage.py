"""The steps of the run as a graph."""

from __future__ import annotations

import dataclasses

from shortlist.lineage import as_json
from shortlist.lineage.executions import Execution
from shortlist.lineage.facts.by_node import end, facts
from shortlist.lineage.stages import STAGES
from shortlist.lineage.trace import TraceStep
from shortlist.report.blocks import Graph, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(run_facts: Facts) -> PageSection | None:
    """Returns the graph; None if no step was recorded."""
    if not run_facts.executions:
        return None
    steps = [TraceStep(_with_work(run_facts, execution), facts(execution)) for execution in run_facts.executions]
    data = {
        "name": run_facts.name,
        "stages": STAGES,
        # The page draws steps from the last to the first, as for a pushed model.
        "trace": {"steps": [as_json.step(step) for step in reversed(steps)], "cut_short": []},
    }
    lines = [
        [
            step.execution.node,
            end(step.execution, run_facts.workspace_in_use),
            f"{step.execution.seconds:.1f}",
            "; ".join(step.facts),
        ]
        for step in steps
    ]
    return PageSection(
        "lineage",
        "Lineage",
        "The steps with their inputs and outputs, from ML Metadata. `shortlist lineage` also shows the impact of data, "
        "the differences between two runs, and the served versions.",
        [
            Graph(
                data,
                TableBlock(
                    f"{len(steps)} steps of the run",
                    [
                        TableColumn("step", numeric=False),
                        TableColumn("state", numeric=False),
                        TableColumn("seconds"),
                        TableColumn("facts", numeric=False),
                    ],
                    lines,
                ),
            )
        ],
    )


def _with_work(run_facts: Facts, execution: Execution) -> Execution:
    """Returns an execution from the cache with the seconds of the one that did its work, if that is known."""
    producer = run_facts.producers.get(execution.node)
    return execution if producer is None else dataclasses.replace(execution, seconds=producer.seconds)
