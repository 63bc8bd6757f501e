"""Facts about an execution by its node."""

from __future__ import annotations

from collections.abc import Callable

from shortlist.lineage.executions import Execution
from shortlist.lineage.facts import data, models, pushes, verdicts
from shortlist.lineage.fingerprints import code_sha256
from shortlist.records import nodes, properties

_SHA_LENGTH = 12


def facts(execution: Execution) -> list[str]:
    """Returns the facts about an execution that lineage shows; none for an unknown node."""
    sentences = _describer(execution.node)(execution)
    code = code_sha256(execution)
    if code and not nodes.is_resolver(execution.node):
        sentences.append(f"code {code[:_SHA_LENGTH]}")
    return sentences


def end(execution: Execution, at_work: bool) -> str:
    """Returns the end of an execution as text, or "running".

    Args:
      execution: The execution.
      at_work: Whether a command is writing to the workspace now. If not, an unfinished execution was killed.
    """
    if execution.unfinished:
        return "running" if at_work else "killed: its process died, and nothing was run since"
    if properties.KILLED in execution.properties:
        return f"killed: {execution.properties[properties.KILLED]}"
    return {"COMPLETE": "done", "CACHED": "from the cache"}.get(execution.state, execution.state.lower())


def _no_facts(execution: Execution) -> list[str]:
    return []


_DESCRIBERS: dict[str, Callable[[Execution], list[str]]] = {
    nodes.ROLLBACK: pushes.describe_rollback,
    nodes.FORCED_PUSH: pushes.describe_forced_push,
    nodes.PUSHER: pushes.describe_pusher,
    nodes.SERVING_CHECK: verdicts.describe_serving_check,
    nodes.INDEXER: verdicts.describe_indexer,
    nodes.EVALUATOR: verdicts.describe_evaluator,
    nodes.BASELINE: models.describe_baseline,
    nodes.TUNER: models.describe_tuner,
    nodes.TRAINER: models.describe_trainer,
    nodes.REFIT: models.describe_refit,
    nodes.REFRESH: models.describe_refresh,
    nodes.WINDOWS: data.describe_windows,
    nodes.REFIT_WINDOWS: data.describe_windows,
    nodes.DATA_GATE: data.describe_gate,
    nodes.TRANSFORM: data.describe_transform,
    nodes.CANDIDATE_TRANSFORM: data.describe_transform,
    nodes.REFIT_TRANSFORM: data.describe_transform,
}
# The nodes of a table have its name in their id, for example `InteractionsGen`.
_DESCRIBERS_BY_SUFFIX: dict[str, Callable[[Execution], list[str]]] = {
    "Gen": data.describe_ingestion,
    "Schema": data.describe_schema,
    "Statistics": data.describe_statistics,
    "Validator": data.describe_validator,
}


def _describer(node: str) -> Callable[[Execution], list[str]]:
    if node in _DESCRIBERS:
        return _DESCRIBERS[node]
    matches = (describer for suffix, describer in _DESCRIBERS_BY_SUFFIX.items() if node.endswith(suffix))
    return next(matches, _no_facts)
