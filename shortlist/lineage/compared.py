"""Sides of a diff: runs or pushed versions, with the executions that made them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution, output_of
from shortlist.lineage.measurements import Measurements, measurements
from shortlist.lineage.settings import flat
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models, upstream
from shortlist.lineage.why import Verdict, judge
from shortlist.records import nodes
from shortlist.records.artifacts import json_object
from shortlist.summary import Summary

_MAX_NAMED = 3


@dataclasses.dataclass(frozen=True)
class RunOrVersion:
    """A run with its executions, or a version with the executions that made it."""

    name: str
    """The run id or version in the command."""
    run_id: str
    """The run itself; for a version, the run that evaluated the model."""
    nodes: dict[str, Execution]
    """Node id to its execution."""
    summary: Summary | None
    """The run's summary; None if it has none."""
    verdict: Verdict

    @functools.cached_property
    def measurements(self) -> Measurements | None:
        """The Evaluator's measurements; None if there are none."""
        return measurements(self.nodes.get(nodes.EVALUATOR), self.summary)

    def output(self, node: str, key: str) -> Artifact | None:
        """Returns an output artifact of a node, made or from the cache; None if there is none."""
        return output_of(self.nodes.get(node), key)

    def property(self, node: str, name: str) -> object:
        """Returns a property of a node's execution; None if there is none."""
        if node not in self.nodes:
            return None
        return self.nodes[node].properties.get(name)

    def settings(self, node: str, read: Callable[[Execution], dict[str, Any]]) -> dict[str, Any]:
        """Returns the settings that `read` finds in a node's execution, by dotted name; empty if it did not run."""
        execution = self.nodes.get(node)
        return flat(read(execution)) if execution else {}

    def json(self, node: str, name: str) -> dict[str, Any]:
        """Returns a JSON object property of a node's execution; an empty one if there is none."""
        return json_object(self.property(node, name))


def run_or_version(
    store: Store, name: str, summary_of: Callable[[str], Summary | None], at_work: bool = False
) -> RunOrVersion:
    """Returns the run or version of a name.

    Args:
      store: The workspace's store.
      name: A run id or a pushed version.
      summary_of: Function from a run id to its summary.
      at_work: Whether a command is writing to the workspace now.

    Raises:
      BadInputError: The name is neither a run id nor a version.
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
            f"{', '.join(run_ids[-_MAX_NAMED:]) or 'none'}, the latest versions "
            f"{', '.join(map(str, sorted(pushed)[-_MAX_NAMED:])) or 'none'}"
        )
    # Earlier executions come first, so that of a node's several executions the latest stays.
    executions = upstream(store, [pushed[int(name)].id])[::-1]
    by_node = _by_node(executions)
    evaluator = by_node.get(nodes.EVALUATOR) or by_node.get(nodes.TRAINER)
    run_id = evaluator.run_id if evaluator else ""
    return RunOrVersion(name, run_id, by_node, summary_of(run_id), judge(run_id, executions))


def _by_node(executions: list[Execution]) -> dict[str, Execution]:
    return {execution.node: execution for execution in executions}
