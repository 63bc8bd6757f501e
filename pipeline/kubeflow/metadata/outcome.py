"""Whether a run that succeeded pushed its model: KFP's API tells of states only."""

from __future__ import annotations

import dataclasses
import json

from pipeline.kubeflow.metadata.store import ClusterStore, Run, connect


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
    pushed = run.output("Pusher", "pushed_model")
    if pushed is None:
        return Verdict(False, "", ("the Pusher did not finish",))
    if pushed.properties.get("pushed") == 1:
        return Verdict(True, str(pushed.properties.get("pushed_destination", "")), ())
    return Verdict(False, "", tuple(json.loads(str(pushed.properties.get("reasons", "[]")))))
