"""Walks from a pushed model back to the data that it came from."""

from __future__ import annotations

import dataclasses
import re

from shortlist.errors import BadInputError
from shortlist.lineage.facts import end, facts
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.records import nodes, properties

COMPARED_WITH = re.compile(r"baseline|.+_before")
"""Input keys of Baseline and DataGate that come from an earlier run, of which nothing was made."""


@dataclasses.dataclass(frozen=True)
class TraceStep:
    """One node on the way, and what it says of itself."""

    execution: Execution
    facts: list[str]


@dataclasses.dataclass(frozen=True)
class Trace:
    """All that made one pushed model, from the push back to the files."""

    version: int
    path: str
    steps: list[TraceStep]
    interrupted: list[TraceStep]
    """Attempts since the first of these steps that did not get to their end."""


def trace_pushed(store: Store, version: int | None = None, at_work: bool = False) -> Trace:
    """Returns what made a pushed version, the newest unless told.

    Args:
      store: The workspace's.
      version: A version that was pushed, by a run or by hand.
      at_work: Whether a command writes to the workspace now: what looks unfinished was killed otherwise.

    Raises:
      BadInputError: Nothing, or not this version, was pushed.
    """
    by_version = pushed_models(store)
    if not by_version:
        raise BadInputError(
            "nothing was pushed from this workspace yet; `shortlist run` ends with a push or its reason"
        )
    chosen = max(by_version) if version is None else version
    if chosen not in by_version:
        raise BadInputError(f"version {chosen} was never pushed; {_some(by_version)}")
    artifact = by_version[chosen]
    made_by = upstream(store, [artifact.id])
    first, last = made_by[-1].id, made_by[0].id
    interrupted = [
        TraceStep(execution, [end(execution, at_work)])
        for execution in store.interrupted()
        if first < execution.id and (chosen == max(by_version) or execution.id < last)
    ]
    steps = [TraceStep(execution, facts(execution)) for execution in made_by]
    return Trace(chosen, str(artifact.properties[properties.PUSHED_DESTINATION]), steps, interrupted)


def pushed_models(store: Store) -> dict[int, Artifact]:
    """Returns the record of every version that was ever pushed, by a run or by hand; the oldest first."""
    pushed = [
        artifact for artifact in store.artifacts("PushedModel") if artifact.properties.get(properties.PUSHED) == 1
    ]
    return {int(artifact.properties[properties.PUSHED_VERSION]): artifact for artifact in pushed}


def manual_push_facts(store: Store, version: int) -> str | None:
    """Returns by whom and why a version is served, where no run pushed it: a rollback or a forced push did."""
    artifact = pushed_models(store).get(version)
    execution = store.producer(artifact.id) if artifact else None
    if execution is None or execution.node not in (nodes.ROLLBACK, nodes.FORCED_PUSH):
        return None
    return "; ".join(facts(execution))


def upstream(store: Store, artifact_ids: list[int]) -> list[Execution]:
    """Returns the executions that artifacts depend on, latest first; not those that they were only compared with."""
    found: dict[int, Execution] = {}
    seen, waiting = set(artifact_ids), set(artifact_ids)
    while waiting:
        fresh = [execution for execution in store.producers(waiting) if execution.id not in found]
        found |= {execution.id: execution for execution in fresh}
        waiting = {
            artifact.id
            for execution in fresh
            for key, artifacts in execution.inputs.items()
            if not COMPARED_WITH.fullmatch(key)
            for artifact in artifacts
        } - seen
        seen |= waiting
    return [found[key] for key in sorted(found, reverse=True)]


_MOST_NAMED = 10


def _some(versions: dict[int, Artifact]) -> str:
    newest = sorted(versions, reverse=True)
    more = len(newest) - _MOST_NAMED
    return f"there are {newest[:_MOST_NAMED]}" + (f" and {more} older ones" if more > 0 else "")
