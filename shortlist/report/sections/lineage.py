"""The steps of the run as a graph."""

from __future__ import annotations

from shortlist.lineage import as_json
from shortlist.lineage.facts import end, facts
from shortlist.lineage.stages import STAGES
from shortlist.lineage.trace import Step
from shortlist.report.blocks import Column, Graph, Section, Table
from shortlist.report.facts import Facts


def section(found: Facts) -> Section | None:
    """Returns the graph; None where no step was recorded."""
    if not found.executions:
        return None
    steps = [Step(execution, facts(execution)) for execution in found.executions]
    data = {
        "name": found.name,
        "stages": STAGES,
        "trace": {"steps": [as_json.step(step) for step in reversed(steps)], "cut_short": []},
    }
    lines = [
        [
            step.execution.node,
            end(step.execution, found.at_work),
            f"{step.execution.seconds:.1f}",
            "; ".join(step.facts),
        ]
        for step in steps
    ]
    return Section(
        "lineage",
        "Lineage",
        "What read what, as ML Metadata has it. `shortlist lineage` answers more: what came of some data, what changed "
        "between two runs, what is served.",
        [
            Graph(
                data,
                Table(
                    f"{len(steps)} steps of the run",
                    [
                        Column("step", numeric=False),
                        Column("state", numeric=False),
                        Column("seconds"),
                        Column("what it says", numeric=False),
                    ],
                    lines,
                ),
            )
        ],
    )
