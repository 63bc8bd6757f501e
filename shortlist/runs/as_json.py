"""JSON output of the commands about runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shortlist.runs.prune import PrunePlan
from shortlist.runs.record import Record


def run(record: Record) -> dict[str, Any]:
    """Returns a run as JSON data."""
    return {
        "run_id": record.run_id,
        "kind": record.kind,
        "status": record.status,
        "unchanged": record.unchanged,
        "started": record.started.isoformat() if record.started else None,
        "reasons": record.reasons,
        "folder": str(record.folder),
        "config": record.config(),
        "summary": record.summary.model_dump(mode="json") if record.summary else None,
    }


def plan(plan: PrunePlan, failures: Sequence[str], deleted: bool) -> dict[str, Any]:
    """Returns a plan, and the result if it was executed, as JSON data.

    Args:
      plan: The artifacts to delete.
      failures: Folders that could not be deleted, with the reason.
      deleted: Whether the plan was executed.
    """
    return {
        "deleted": deleted,
        "bytes": plan.bytes,
        "artifacts": [{"id": artifact.id, "type": artifact.type, "uri": artifact.uri} for artifact in plan.artifacts],
        "kept_versions": plan.kept_versions,
        "kept_runs": plan.kept_runs,
        "resisted": list(failures),
    }
