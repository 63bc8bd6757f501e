"""Push outcome of a run that succeeded, read from ML Metadata: KFP's API returns states only."""

from __future__ import annotations

import dataclasses

from pipeline.kubeflow.metadata.store import ClusterRun, ClusterStore, connect
from shortlist.records import nodes
from shortlist.records.artifacts import PushedModel


@dataclasses.dataclass(frozen=True)
class PushOutcome:
    """Whether the gates let the run push its model."""

    pushed: bool
    destination: str
    """Folder of the pushed version; empty without a push."""

    reasons: tuple[str, ...]
    """Reasons for not pushing."""


def read(address: str, run_id: str) -> PushOutcome:
    """Returns the push outcome of a run in the ML Metadata behind a gRPC address.

    Raises:
      BadInputError: No server answers at the address.
    """
    run = ClusterStore(connect(address)).run(run_id)
    if run is None:
        return PushOutcome(False, "", (f"ML Metadata at {address} does not have the run",))
    return verdict(run)


def verdict(run: ClusterRun) -> PushOutcome:
    """Returns the push outcome that a run's Pusher recorded."""
    pushed = PushedModel.of(run.output(nodes.PUSHER, "pushed_model"))
    if pushed is None:
        return PushOutcome(False, "", ("the Pusher did not finish",))
    if not pushed.pushed:
        return PushOutcome(False, "", tuple(pushed.reasons))
    return PushOutcome(True, pushed.destination, tuple(pushed.reasons))
