"""Stages of the pipeline, from the push back to the input files."""

from __future__ import annotations

from shortlist.records import nodes

_STAGES: dict[str, tuple[str, ...]] = {
    "push": (nodes.PUSHER, nodes.ROLLBACK, nodes.FORCED_PUSH),
    "check": (nodes.SERVING_CHECK,),
    "index": (nodes.INDEXER,),
    "verdict": (nodes.EVALUATOR, nodes.ANSWERS, nodes.BASELINE, nodes.BLESSED_MODEL),
    "model": (nodes.TRAINER, nodes.TUNER, nodes.WARM_START_MODEL, nodes.REFIT, nodes.REFRESH, nodes.SERVED_MODEL),
    "features": (nodes.TRANSFORM, nodes.CANDIDATE_TRANSFORM, nodes.REFIT_TRANSFORM),
    "windows": (nodes.WINDOWS, nodes.REFIT_WINDOWS),
    "gate": (nodes.DATA_GATE, nodes.BLESSED_STATISTICS),
}
OTHER = "other"
STAGES = (*_STAGES, *nodes.TABLES, OTHER)


def stage(node: str) -> str:
    """Returns the stage of a node, or `other` for an unknown node."""
    # The nodes of a table have its name in their id, for example `InteractionsGen`.
    for table in nodes.TABLES:
        if node.startswith(table.capitalize()):
            return table
    return next((name for name, members in _STAGES.items() if node in members), OTHER)
