"""Push outcome of a run that succeeded, read from ML Metadata: KFP's API returns states only."""

from __future__ import annotations

import dataclasses

from pipeline.kubeflow.metadata.store import ClusterRun, ClusterStore, connect
from shortlist.notify.message import Ending
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing, Evaluation, PushedModel


@dataclasses.dataclass(frozen=True)
class PushOutcome:
    """Whether the gates let the run push its model."""

    pushed: bool
    destination: str
    """Folder of the pushed version; empty without a push."""

    reasons: tuple[str, ...]
    """Reasons for not pushing."""

    version: int | None = None
    """The pushed version."""

    ending: Ending = Ending.PUSHED
    """The first gate that refused the model, or whether this run pushed it or an earlier one did."""

    evaluation: Evaluation | None = None
    """Measurements of the Evaluator; None if it did not finish."""


def read(address: str, run_id: str) -> PushOutcome:
    """Returns the push outcome of a run in the ML Metadata behind a gRPC address.

    Raises:
      BadInputError: No server answers at the address.
    """
    run = ClusterStore(connect(address)).run(run_id)
    if run is None:
        return PushOutcome(False, "", (f"ML Metadata at {address} does not have the run",), None, Ending.FAILED)
    return verdict(run)


def verdict(run: ClusterRun) -> PushOutcome:
    """Returns the push outcome that a run's Pusher recorded."""
    evaluation = Evaluation.of(run.output(nodes.EVALUATOR, "evaluation"))
    pushed = PushedModel.of(run.output(nodes.PUSHER, "pushed_model"))
    if pushed is None:
        return PushOutcome(False, "", ("the Pusher did not finish",), None, Ending.FAILED, evaluation)
    if pushed.pushed:
        ending = Ending.UNCHANGED if run.tasks[nodes.PUSHER].state == "CACHED" else Ending.PUSHED
        return PushOutcome(True, pushed.destination, tuple(pushed.reasons), pushed.version, ending, evaluation)
    return PushOutcome(False, "", tuple(pushed.reasons), None, _refusal(run), evaluation)


_GATES = {
    nodes.EVALUATOR: Ending.NOT_BLESSED,
    nodes.INDEXER: Ending.INDEX_REJECTED,
    nodes.SERVING_CHECK: Ending.CHECK_FAILED,
}


def _refusal(run: ClusterRun) -> Ending:
    """Returns the ending by the first node that did not bless the model."""
    blessings = {node: Blessing.of(run.output(node, "blessing")) for node in _GATES}
    return next((_GATES[node] for node, found in blessings.items() if found and not found.blessed), Ending.FAILED)
