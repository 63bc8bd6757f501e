"""The two things that a diff compares: runs, or pushed versions, each with all that it came from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from shortlist.errors import BadInputError
from shortlist.lineage.measurements import Measurements, measurements
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.lineage.trace import pushed_models, upstream
from shortlist.lineage.why import Verdict, judge
from shortlist.records import nodes
from shortlist.records.artifacts import json_object
from shortlist.summary import Summary

_MOST_NAMED = 3


@dataclasses.dataclass(frozen=True)
class RunOrVersion:
    """A run, by its nodes; of a version, the nodes that really made it."""

    name: str
    """As it was asked for."""
    run_id: str
    """The run that evaluated the model; the run itself, if one was asked for."""
    nodes: dict[str, Execution]
    summary: Summary | None
    """That run's; None if it left none."""
    verdict: Verdict

    @functools.cached_property
    def measured(self) -> Measurements | None:
        """What the Evaluator measured; None if it did not come that far."""
        return measurements(self.nodes.get(nodes.EVALUATOR), self.summary)

    def output(self, node: str, key: str) -> Artifact | None:
        """Returns an artifact that a node made or found in the cache."""
        return self.nodes[node].output(key) if node in self.nodes else None

    def property(self, node: str, name: str) -> object:
        """Returns a property that a node was run with; None if it has none."""
        return self.nodes[node].properties.get(name) if node in self.nodes else None

    def json(self, node: str, name: str) -> dict[str, Any]:
        """Returns a property that is a JSON object; an empty one if there is none."""
        return json_object(self.property(node, name))


def run_or_version(
    store: Store, name: str, summary_of: Callable[[str], Summary | None], at_work: bool = False
) -> RunOrVersion:
    """Returns what a name stands for.

    Args:
      store: The workspace's.
      name: A run's id or a pushed version.
      summary_of: Returns the summary of a run.
      at_work: Whether a command writes to the workspace now.

    Raises:
      BadInputError: It is neither.
    """
    run_ids = store.run_ids()
    if name in run_ids:
        executions = store.run_executions(name)
        latest = at_work and name == run_ids[-1]
        return RunOrVersion(name, name, _by_node(executions), summary_of(name), judge(name, executions, latest))
    pushed = pushed_models(store)
    if not name.isdigit() or int(name) not in pushed:
        raise BadInputError(
            f"{name!r} is neither a run nor a pushed version; the latest runs are "
            f"{', '.join(run_ids[-_MOST_NAMED:]) or 'none'}, the latest versions "
            f"{', '.join(map(str, sorted(pushed)[-_MOST_NAMED:])) or 'none'}"
        )
    executions = upstream(store, [pushed[int(name)].id])[::-1]
    by_node = _by_node(executions)
    evaluator = by_node.get(nodes.EVALUATOR) or by_node.get(nodes.TRAINER)
    run_id = evaluator.run_id if evaluator else ""
    return RunOrVersion(name, run_id, by_node, summary_of(run_id), judge(run_id, executions))


def _by_node(executions: list[Execution]) -> dict[str, Execution]:
    return {execution.node: execution for execution in executions}
