"""The parts of the pipeline that people speak of, from what is served back to the files."""

from __future__ import annotations

import re

_STAGES = {
    "push": "Pusher|Rollback|ForcedPush",
    "check": "ServingCheck",
    "index": "Indexer",
    "verdict": "Evaluator|Answers|Baseline|BlessedModel",
    "model": "Trainer|Tuner|Refit",
    "features": "Transform|CandidateTransform|RefitTransform",
    "windows": "Windows|RefitWindows",
    "gate": "DataGate|BlessedStatistics",
    "interactions": "Interactions.+",
    "candidates": "Candidates.+",
    "queries": "Queries.+",
}
OTHER = "other"
STAGES = (*_STAGES, OTHER)


def stage(node: str) -> str:
    """Returns the stage of a node, `other` for one that this version does not know."""
    return next((name for name, nodes in _STAGES.items() if re.fullmatch(nodes, node)), OTHER)
