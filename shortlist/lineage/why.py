"""Outcome of a run, and the node and reasons that decided it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Execution, output_of
from shortlist.lineage.facts.by_node import end
from shortlist.lineage.gates import gate_results
from shortlist.lineage.serving import VersionPush, pushed_by, pushes
from shortlist.lineage.store import Store
from shortlist.records import nodes, properties
from shortlist.records.artifacts import Blessing, PushedModel
from shortlist.summary import Status, Summary
from shortlist.verdicts import GateResult, Headline, complete, headline, refused

_MAX_NAMED = 3
_ENDED_BEFORE = "the run ended before"
_NOT_YET = "not yet"
_NOT_AGAIN = "a reindex trains nothing"


class Outcome(str, enum.Enum):
    """Outcome of a run by ML Metadata; the values are those of the summary's status if it has the same one."""

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
    """The node that decided; empty if no node started."""
    reasons: list[str]
    """Reasons of that node; empty if ML Metadata has none, for example after an exception."""
    gates: list[GateResult]
    """One result per gate, in the fixed order."""
    version: int | None = None
    """The pushed version; for a cached run, the one pushed by an earlier run."""
    unchanged: bool = False
    """Whether the push itself came from the cache."""
    executions: list[Execution] = dataclasses.field(default_factory=list)
    """All executions of the run, in the order of their starts."""
    forced_push: VersionPush | None = None
    """A later forced push, which overrode the verdict."""

    def headline(self, served: int | None) -> Headline:
        """Returns the first line of the verdict.

        Args:
          served: The version in the serving folder; None if it is empty.
        """
        return headline(self.outcome.value, self.version, self.unchanged, served)


def run_verdict(
    store: Store, run_id: str, at_work: bool = False, summary: Summary | None = None, has_folder: bool = False
) -> Verdict:
    """Returns the outcome of a run and the node that decided it.

    Args:
      store: The workspace's store.
      run_id: Id of a run, finished or not.
      at_work: Whether a command is writing to the workspace now.
      summary: The run's summary, if there is one. Only the summary has the exception of a failed node.
      has_folder: Whether the run has a folder. A run that died before its first node has nothing else.

    Raises:
      BadInputError: There is no such run.
    """
    executions = store.run_executions(run_id)
    if not executions and summary is None and not has_folder:
        raise BadInputError(f"run {run_id!r}: {_known(store, run_id)}")
    if not executions and summary is None:
        # Run ids are times, and only the latest run can be running.
        if at_work and run_id > max(store.run_ids(), default=""):
            return Verdict(run_id, Outcome.RUNNING, "", ["its first node has not started yet"], complete((), _NOT_YET))
        reasons = ["its process died before its first node"]
        return Verdict(run_id, Outcome.KILLED, "", reasons, complete((), _ENDED_BEFORE))
    # Only one command at a time writes, so only the latest run can be running.
    verdict = judge(run_id, executions, at_work and store.run_ids()[-1:] == [run_id])
    forced = [push for push in pushes(store.executions_of(nodes.FORCED_PUSH)) if push.run_id == run_id]
    if forced:
        return dataclasses.replace(verdict, forced_push=forced[-1])
    if summary is None or verdict.outcome is not Outcome.FAILED:
        return verdict
    reasons = verdict.reasons or summary.reasons
    if summary.status is Status.REFUSED:
        verdict = dataclasses.replace(verdict, outcome=Outcome.REFUSED, gates=refused("; ".join(reasons)))
    return dataclasses.replace(verdict, reasons=reasons)


def judge(run_id: str, executions: Sequence[Execution], at_work: bool = False) -> Verdict:
    """Returns the outcome of a run, from its executions in the order of their starts."""
    by_node = {execution.node: execution for execution in executions}

    def verdict(outcome: Outcome, node: str, reasons: list[str], version: int | None = None) -> Verdict:
        otherwise = _NOT_YET if outcome is Outcome.RUNNING else _ENDED_BEFORE
        if nodes.REFRESH in by_node:
            otherwise = _NOT_AGAIN
        gates = gate_results(by_node, otherwise)
        unchanged = version is not None and by_node[node].state == "CACHED"
        return Verdict(run_id, outcome, node, reasons, gates, version, unchanged, list(executions))

    done = {node: execution for node, execution in by_node.items() if _is_done(execution)}
    if nodes.PUSHER in done:
        pushed = PushedModel.of(pushed_by(done[nodes.PUSHER]))
        if pushed is not None:
            return verdict(Outcome.PUSHED, nodes.PUSHER, [], pushed.version)
    for node, outcome in _GATES:
        blessing = Blessing.of(output_of(done.get(node), "blessing"))
        if blessing is not None and not blessing.blessed:
            return verdict(outcome, node, blessing.reasons)
    for execution in reversed(executions):
        if execution.unfinished:
            outcome = Outcome.RUNNING if at_work else Outcome.KILLED
            return verdict(outcome, execution.node, [end(execution, at_work)])
        if execution.state in ("FAILED", "CANCELED"):
            if properties.KILLED in execution.properties:
                return verdict(Outcome.KILLED, execution.node, [end(execution, at_work)])
            reasons = []
            if properties.ERROR in execution.properties:
                reasons.append(str(execution.properties[properties.ERROR]))
            return verdict(Outcome.FAILED, execution.node, reasons)
    if not executions:
        return verdict(Outcome.FAILED, "", [])
    last = executions[-1].node
    if at_work:
        return verdict(Outcome.RUNNING, last, [f"between two nodes, after {last}"])
    return verdict(Outcome.KILLED, last, [f"its process died after {last}; the next node never started"])


# In the order of the pipeline: the first refusal decides.
_GATES = (
    (nodes.EVALUATOR, Outcome.NOT_BLESSED),
    (nodes.REFRESH, Outcome.NOT_BLESSED),
    (nodes.INDEXER, Outcome.INDEX_REJECTED),
    (nodes.SERVING_CHECK, Outcome.CHECK_FAILED),
)


def _is_done(execution: Execution) -> bool:
    return execution.state in ("COMPLETE", "CACHED")


def _known(store: Store, run_id: str) -> str:
    known = store.run_ids()
    if not known:
        return "ML Metadata has no run yet; `shortlist run` makes the first"
    # Run ids are times, so an id that begins like the wrong one is probably meant.
    latest = known[-_MAX_NAMED:]
    similar = [known_id for known_id in known if known_id.startswith(run_id)] or latest
    intro = "the latest are" if similar == latest else "there are"
    return f"ML Metadata has no such run; {intro} {', '.join(similar[:_MAX_NAMED])}; `shortlist runs` lists all"
