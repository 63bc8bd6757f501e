"""Runs as plain data, for `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shortlist.runs.prune import PrunePlan
from shortlist.runs.record import Record


def run(record: Record) -> dict[str, Any]:
    """Returns a run for programs."""
    return {
        "run_id": record.run_id,
        "status": record.status,
        "started": record.started.isoformat() if record.started else None,
        "reasons": record.reasons,
        "folder": str(record.folder),
        "config": record.config(),
        "summary": record.summary.model_dump(mode="json") if record.summary else None,
    }


def plan(decided: PrunePlan, resisted: Sequence[str], deleted: bool) -> dict[str, Any]:
    """Returns for programs what goes or is gone."""
    return {
        "deleted": deleted,
        "bytes": decided.bytes,
        "artifacts": [
            {"id": artifact.id, "type": artifact.type, "uri": artifact.uri} for artifact in decided.artifacts
        ],
        "kept_versions": decided.kept_versions,
        "kept_runs": decided.kept_runs,
        "resisted": list(resisted),
    }
