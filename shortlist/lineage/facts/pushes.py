"""Facts about pushes and rollbacks."""

from __future__ import annotations

from shortlist.lineage.executions import Execution
from shortlist.lineage.facts import verdicts
from shortlist.records import artifacts, properties
from shortlist.records.artifacts import PushedModel


def describe_pusher(execution: Execution) -> list[str]:
    """Returns the version and its destination, or the reasons why nothing was pushed."""
    pushed = PushedModel.of(execution.output("pushed_model"))
    if pushed is None:
        return []
    if not pushed.pushed:
        return [f"not pushed: {reason}" for reason in pushed.reasons] or ["not pushed"]
    return [f"version {pushed.version} to {pushed.destination}"]


def describe_forced_push(execution: Execution) -> list[str]:
    """Returns the reasons that a push overrode, its index, author and reason."""
    overridden = artifacts.json_object(execution.properties.get(properties.OVERRIDDEN))
    reasons = [f"overrides {node}: {reason}" for node, reasons in overridden.items() for reason in reasons]
    return ["pushed by force", *reasons, *verdicts.index_sentences(execution), _by(execution)]


def describe_rollback(execution: Execution) -> list[str]:
    """Returns both versions of a rollback, its author and reason."""
    found = execution.properties
    restored, replaced = found.get(properties.RESTORED_VERSION), found.get(properties.REPLACED_VERSION)
    return [f"rolled back to version {restored} from {replaced}", _by(execution)]


def _by(execution: Execution) -> str:
    author = f"by {execution.properties.get(properties.BY)}"
    reason = execution.properties.get(properties.REASON)
    return f"{author}: {reason}" if reason else author
