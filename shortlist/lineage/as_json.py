"""Lineage's answers as JSON data, for `--json` and for the HTML page."""

from __future__ import annotations

import dataclasses
from typing import Any

from shortlist.lineage.diff.sections import Diff, DiffSection
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.impact import Impact, TrainedModel
from shortlist.lineage.serving import ServingState, VersionPush
from shortlist.lineage.stages import stage
from shortlist.lineage.trace import Trace, TraceStep
from shortlist.lineage.why import Verdict


def trace(answer: Trace) -> dict[str, Any]:
    """Returns the steps that made a pushed model."""
    return {
        "version": answer.version,
        "path": answer.path,
        "steps": [step(item) for item in answer.steps],
        "cut_short": [step(item) for item in answer.interrupted],
    }


def step(item: TraceStep) -> dict[str, Any]:
    """Returns one execution with its facts."""
    return {**execution(item.execution), "facts": item.facts}


def execution(item: Execution) -> dict[str, Any]:
    """Returns one execution."""
    return {
        "execution_id": item.id,
        "node": item.node,
        "stage": stage(item.node),
        "run_id": item.run_id,
        "state": item.state,
        "started": item.started.isoformat(),
        "seconds": item.seconds,
        "inputs": {key: [artifact.id for artifact in artifacts] for key, artifacts in sorted(item.inputs.items())},
        "outputs": {
            key: [_artifact(artifact) for artifact in artifacts] for key, artifacts in sorted(item.outputs.items())
        },
    }


def _artifact(item: Artifact) -> dict[str, Any]:
    return {"id": item.id, "type": item.type, "uri": item.uri, "deleted": item.deleted}


def served(answer: ServingState) -> dict[str, Any]:
    """Returns the served version and all pushes, the latest first."""
    return {
        "version": answer.version,
        "current": push(answer.current) if answer.current else None,
        "pushes": [push(item) for item in answer.pushes],
    }


def push(item: VersionPush) -> dict[str, Any]:
    """Returns one push."""
    return {**dataclasses.asdict(item), "at": item.at.isoformat()}


def verdict(answer: Verdict) -> dict[str, Any]:
    """Returns a run's outcome and the reasons for it."""
    return {
        "run_id": answer.run_id,
        "outcome": answer.outcome.value,
        "node": answer.node,
        "reasons": answer.reasons,
        "gates": [gate.model_dump(mode="json") for gate in answer.gates],
        "version": answer.version,
        "forced": push(answer.forced_push) if answer.forced_push else None,
        "executions": [execution(item) for item in answer.executions],
    }


def impact(answer: Impact) -> dict[str, Any]:
    """Returns the models, pushes and interrupted executions that used some data."""
    return {
        "named": answer.name,
        "data": [
            {**_artifact(source.artifact), "node": source.node, "run_id": source.run_id, "sha256": source.sha256}
            for source in answer.data
        ],
        "executions": answer.executions,
        "runs": answer.runs,
        "models": [_model(item) for item in answer.models],
        "cut_short": [{**execution(item), "end": end} for item, end in answer.interrupted],
    }


def diff(answer: Diff) -> dict[str, Any]:
    """Returns the changes between two runs."""
    return {
        "before": {"name": answer.before.name, "run_id": answer.before.run_id},
        "after": {"name": answer.after.name, "run_id": answer.after.run_id},
        "sections": [_section(section) for section in answer.sections],
        "same": answer.same,
    }


def _section(item: DiffSection) -> dict[str, Any]:
    changes = [
        {
            "name": change.name,
            "before": change.before,
            "after": change.after,
            "told": change.description,
            "weight": change.weight,
        }
        for change in item.changes
    ]
    return {"name": item.name, "changes": changes, "notes": item.notes}


def _model(item: TrainedModel) -> dict[str, Any]:
    return {
        "run_id": item.run_id,
        "artifact_id": item.artifact_id,
        "trained": item.trained.started.isoformat(),
        "seconds": item.trained.seconds,
        "seed": item.seed,
        "blessed": item.blessed,
        "reasons": item.reasons,
        "index": item.index,
        "index_blessed": item.index_blessed,
        "pushes": [push(pushed) for pushed in item.pushes],
    }
