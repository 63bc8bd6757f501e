"""Whether a run that succeeded pushed its model: KFP's API tells of states only."""

from __future__ import annotations

import dataclasses

from pipeline.kubeflow.metadata.store import ClusterRun, ClusterStore, connect
from shortlist.records import nodes
from shortlist.records.artifacts import PushedModel


@dataclasses.dataclass(frozen=True)
class PushOutcome:
    """What the gates said."""

    pushed: bool
    destination: str
    """Folder of the version, or nothing."""

    reasons: tuple[str, ...]
    """Why nothing was pushed."""


def read(address: str, run_id: str) -> PushOutcome:
    """Returns the verdict of a run in the ML Metadata behind a gRPC address.

    Raises:
      BadInputError: Nothing answers there.
    """
    run = ClusterStore(connect(address)).run(run_id)
    return PushOutcome(False, "", (f"ML Metadata at {address} does not know the run",)) if run is None else verdict(run)


def verdict(run: ClusterRun) -> PushOutcome:
    """Returns what a run's Pusher said."""
    pushed = PushedModel.of(run.output(nodes.PUSHER, "pushed_model"))
    if pushed is None:
        return PushOutcome(False, "", ("the Pusher did not finish",))
    return PushOutcome(pushed.pushed, pushed.destination if pushed.pushed else "", tuple(pushed.reasons))
