"""Why a run's model was not pushed."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from shortlist.errors import BadInputError
from shortlist.lineage.facts import end
from shortlist.lineage.serving import VersionPush, pushed_by, pushes
from shortlist.lineage.store import Execution, Store
from shortlist.records import nodes, properties
from shortlist.records.artifacts import Blessing, PushedModel, sentences
from shortlist.summary import Status, Summary

_MOST_NAMED = 3


class Outcome(str, enum.Enum):
    """How a run ended, as ML Metadata tells; the summary's words where both know one."""

    PUSHED = "pushed"
    NOT_BLESSED = "not_blessed"
    INDEX_REJECTED = "index_rejected"
    CHECK_FAILED = "check_failed"
    REFUSED = "refused"
    FAILED = "failed"
    KILLED = "killed"
    RUNNING = "running"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A run's outcome and what decided it."""

    run_id: str
    outcome: Outcome
    node: str
    """The node that decided; empty if none even started."""
    reasons: list[str]
    """Its own; empty where ML Metadata has none, as of an exception."""
    passed_gates: list[tuple[str, str]]
    """The gates before it and what they said, in order."""
    version: int | None = None
    """What was pushed; of a run that came from the cache, by the run before it."""
    executions: list[Execution] = dataclasses.field(default_factory=list)
    """All of the run, in the order in which they started."""
    forced_push: VersionPush | None = None
    """The push by which a person overrode the verdict since."""


def run_verdict(
    store: Store, run_id: str, at_work: bool = False, summary: Summary | None = None, began: bool = False
) -> Verdict:
    """Returns how a run ended and which node decided that.

    Args:
      store: The workspace's.
      run_id: Any run's, finished or not.
      at_work: Whether a command writes to the workspace now.
      summary: The run's, if it left one: ML Metadata knows that a node failed, and only this by what exception.
      began: Whether the run left a folder; one that died before its first node left nothing else.

    Raises:
      BadInputError: There is no such run.
    """
    executions = store.run_executions(run_id)
    if not executions and summary is None and not began:
        raise BadInputError(f"run {run_id!r}: {_known(store, run_id)}")
    if not executions and summary is None:
        # Ids are times; whoever is at work began last.
        if at_work and run_id > max(store.run_ids(), default=""):
            return Verdict(run_id, Outcome.RUNNING, "", ["it is before its first node"], [])
        return Verdict(run_id, Outcome.KILLED, "", ["its process died before its first node"], [])
    # One command at a time writes, so that only the latest run can be under way.
    verdict = judge(run_id, executions, at_work and store.run_ids()[-1:] == [run_id])
    forced = [push for push in pushes(store.executions_of(nodes.FORCED_PUSH)) if push.run_id == run_id]
    if forced:
        return dataclasses.replace(verdict, forced_push=forced[-1])
    if summary is None or verdict.outcome is not Outcome.FAILED:
        return verdict
    outcome = Outcome.REFUSED if summary.status is Status.REFUSED else verdict.outcome
    return dataclasses.replace(verdict, outcome=outcome, reasons=verdict.reasons or summary.reasons)


def judge(run_id: str, executions: Sequence[Execution], at_work: bool = False) -> Verdict:
    """Returns how a run ended, from its executions in the order in which they started."""
    by_node = {execution.node: execution for execution in executions}

    def verdict(outcome: Outcome, node: str, reasons: list[str], version: int | None = None) -> Verdict:
        return Verdict(run_id, outcome, node, reasons, _passed(by_node, node), version, list(executions))

    pusher = by_node.get(nodes.PUSHER)
    pushed = PushedModel.of(pushed_by(pusher)) if pusher and _is_done(pusher) else None
    if pushed is not None:
        return verdict(Outcome.PUSHED, nodes.PUSHER, [], pushed.version)
    for node, outcome in _GATES:
        blessing = (
            Blessing.of(by_node[node].output("blessing")) if node in by_node and _is_done(by_node[node]) else None
        )
        if blessing is not None and not blessing.blessed:
            return verdict(outcome, node, blessing.reasons)
    for execution in reversed(executions):
        if execution.unfinished:
            outcome = Outcome.RUNNING if at_work else Outcome.KILLED
            return verdict(outcome, execution.node, [end(execution, at_work)])
        if execution.state in ("FAILED", "CANCELED"):
            if properties.KILLED in execution.properties:
                return verdict(Outcome.KILLED, execution.node, [end(execution, at_work)])
            error = execution.properties.get(properties.ERROR)
            return verdict(Outcome.FAILED, execution.node, [] if error is None else [str(error)])
    if not executions:
        return verdict(Outcome.FAILED, "", [])
    last = executions[-1].node
    if at_work:
        return verdict(Outcome.RUNNING, last, [f"between two nodes, after {last}"])
    return verdict(Outcome.KILLED, last, [f"its process died after {last}; what comes next never started"])


# In the order in which they decide.
_GATES = (
    (nodes.EVALUATOR, Outcome.NOT_BLESSED),
    (nodes.INDEXER, Outcome.INDEX_REJECTED),
    (nodes.SERVING_CHECK, Outcome.CHECK_FAILED),
)


def _is_done(execution: Execution) -> bool:
    return execution.state in ("COMPLETE", "CACHED")


def _passed(by_node: dict[str, Execution], until: str) -> list[tuple[str, str]]:
    found = []
    gate = by_node.get(nodes.DATA_GATE) if until != nodes.DATA_GATE else None
    report = gate.output("report") if gate else None
    if report is not None:
        found.append((nodes.DATA_GATE, "; ".join(["passed", *sentences(report, properties.WARNINGS)])))
    for node, _ in _GATES:
        if node == until or node not in by_node:
            break
        blessing = Blessing.of(by_node[node].output("blessing"))
        if blessing is not None and blessing.blessed:
            found.append((node, "; ".join(["blessed", *blessing.reasons])))
    return found


def _known(store: Store, run_id: str) -> str:
    known = store.run_ids()
    if not known:
        return "ML Metadata knows no run yet; `shortlist run` makes the first"
    # Ids are times: those around the asked one are the likeliest to be meant.
    alike = [known_id for known_id in known if known_id.startswith(run_id)] or known[-_MOST_NAMED:]
    more = "the latest are" if alike == known[-_MOST_NAMED:] else "there are"
    return f"ML Metadata knows no such run; {more} {', '.join(alike[:_MOST_NAMED])}; `shortlist runs` lists all"
