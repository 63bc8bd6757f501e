"""Trace from a pushed model back to its data."""

from __future__ import annotations

import dataclasses
import re

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.facts.by_node import end, facts
from shortlist.lineage.store import Store
from shortlist.records import nodes, properties

COMPARED_WITH = re.compile(r"baseline|.+_before")
"""Input keys of Baseline and DataGate that are only compared with; nothing is made from them."""
_OWN_TRACE = "source_model"
"""Input key of the Trainer: an earlier model, which has a trace of its own. Otherwise a trace would have all days."""


@dataclasses.dataclass(frozen=True)
class TraceStep:
    """One execution with its facts."""

    execution: Execution
    facts: list[str]


@dataclasses.dataclass(frozen=True)
class Trace:
    """The executions that made one pushed model, from the push back to the input files."""

    version: int
    path: str
    steps: list[TraceStep]
    interrupted: list[TraceStep]
    """Interrupted executions since the first of these steps."""


def trace_pushed(store: Store, version: int | None = None, at_work: bool = False) -> Trace:
    """Returns the trace of a pushed version.

    Args:
      store: The workspace's store.
      version: A version that was pushed, by a run or by hand; by default the newest.
      at_work: Whether a command is writing to the workspace now. If not, an unfinished execution was killed.

    Raises:
      BadInputError: Nothing was pushed, or not this version.
    """
    by_version = pushed_models(store)
    if not by_version:
        raise BadInputError(
            "nothing was pushed from this workspace yet; `shortlist run` pushes a model, or reports why it did not"
        )
    newest = max(by_version)
    if version is None:
        version = newest
    if version not in by_version:
        raise BadInputError(f"version {version} was never pushed; {_version_list(by_version)}")
    artifact = by_version[version]
    made_by = upstream(store, [artifact.id])
    first, last = made_by[-1].id, made_by[0].id
    interrupted = [
        TraceStep(execution, [end(execution, at_work)])
        for execution in store.interrupted()
        if first < execution.id and (version == newest or execution.id < last)
    ]
    steps = [TraceStep(execution, facts(execution)) for execution in made_by]
    return Trace(version, str(artifact.properties[properties.PUSHED_DESTINATION]), steps, interrupted)


def pushed_models(store: Store) -> dict[int, Artifact]:
    """Returns the artifacts of all pushed versions, by runs and by hand, the oldest first."""
    pushed = [
        artifact for artifact in store.artifacts("PushedModel") if artifact.properties.get(properties.PUSHED) == 1
    ]
    return {int(artifact.properties[properties.PUSHED_VERSION]): artifact for artifact in pushed}


def manual_push_facts(store: Store, version: int) -> str | None:
    """Returns author and reason of a manual push (rollback or forced push); None for a version that a run pushed."""
    artifact = pushed_models(store).get(version)
    if artifact is None:
        return None
    execution = store.producer(artifact.id)
    if execution is None or execution.node not in (nodes.ROLLBACK, nodes.FORCED_PUSH):
        return None
    return "; ".join(facts(execution))


def upstream(store: Store, artifact_ids: list[int]) -> list[Execution]:
    """Returns the executions that made artifacts, the latest first.

    Those that were only compared with do not count, nor does a model that a training started from.
    """
    found: dict[int, Execution] = {}
    seen, waiting = set(artifact_ids), set(artifact_ids)
    # Each round asks for the producers of a whole generation of artifacts, not of each artifact.
    while waiting:
        fresh = [execution for execution in store.producers(waiting) if execution.id not in found]
        found |= {execution.id: execution for execution in fresh}
        waiting = {
            artifact.id
            for execution in fresh
            for key, artifacts in execution.inputs.items()
            if key != _OWN_TRACE and not COMPARED_WITH.fullmatch(key)
            for artifact in artifacts
        } - seen
        seen |= waiting
    return [found[key] for key in sorted(found, reverse=True)]


_MAX_NAMED = 10


def _version_list(versions: dict[int, Artifact]) -> str:
    newest = sorted(versions, reverse=True)
    text = f"there are {newest[:_MAX_NAMED]}"
    more = len(newest) - _MAX_NAMED
    if more > 0:
        text += f" and {more} older ones"
    return text
