"""Summary of a warm start: the run and the version of the model that a training began from."""

from __future__ import annotations

from shortlist.lineage.executions import Artifact
from shortlist.lineage.store import Store
from shortlist.records import artifacts
from shortlist.summary import WarmStartSummary, read_summary
from shortlist.workspace import Workspace


def summarize(workspace: Workspace, model: Artifact | None) -> WarmStartSummary | None:
    """Returns how the training of a model began; None without `train.warm_start`.

    Args:
      workspace: The workspace of both models.
      model: The Trainer's output; None if no model was trained.
    """
    recorded = artifacts.warm_start_of(model)
    if not recorded:
        return None
    counts = {name: recorded[name] for name in ("known_candidates", "new_candidates", "left_out") if name in recorded}
    if "model_id" not in recorded:
        return WarmStartSummary(reason=recorded["reason"], **counts)
    producer = Store.of(workspace).producer(recorded["model_id"])
    run_id = producer.run_id if producer else None
    return WarmStartSummary(run_of=run_id, version=_version(workspace, run_id), **counts)


def _version(workspace: Workspace, run_id: str | None) -> int | None:
    if not run_id:
        return None
    try:
        pushed = read_summary(workspace.run_dir(run_id) / "summary.json").pushed
    except (OSError, ValueError):
        return None
    return pushed.version if pushed else None
