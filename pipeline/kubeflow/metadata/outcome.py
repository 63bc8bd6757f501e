"""Whether a run that succeeded pushed its model: KFP's API tells of states only."""

from __future__ import annotations

import dataclasses

from pipeline.kubeflow.metadata.store import ClusterStore, Run, connect
from shortlist.records import nodes
from shortlist.records.artifacts import PushedModel


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the gates said."""

    pushed: bool
    destination: str
    """Folder of the version, or nothing."""

    reasons: tuple[str, ...]
    """Why nothing was pushed."""


def read(address: str, run_id: str) -> Verdict:
    """Returns the verdict of a run in the ML Metadata behind a gRPC address.

    Raises:
      BadInputError: Nothing answers there.
    """
    run = ClusterStore(connect(address)).run(run_id)
    return Verdict(False, "", (f"ML Metadata at {address} does not know the run",)) if run is None else verdict(run)


def verdict(run: Run) -> Verdict:
    """Returns what a run's Pusher said."""
    pushed = PushedModel.of(run.output(nodes.PUSHER, "pushed_model"))
    if pushed is None:
        return Verdict(False, "", ("the Pusher did not finish",))
    return Verdict(pushed.pushed, pushed.destination if pushed.pushed else "", tuple(pushed.reasons))
