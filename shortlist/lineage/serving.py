"""What is served, since when, by which command, and what it replaced."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from shortlist.errors import BadInputError
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import PushedModel

RUN = "run"
FORCED = "push --force"
ROLLED_BACK = "rollback"
_COMMANDS = {nodes.FORCED_PUSH: FORCED, nodes.ROLLBACK: ROLLED_BACK}
PUSHERS = (*nodes.PUSHER_TYPES, *_COMMANDS)
"""Types of executions that may push, by the last part of their name."""


@dataclasses.dataclass(frozen=True)
class VersionPush:
    """One version that came to be served."""

    version: int
    path: str
    at: datetime.datetime
    """When its push ended."""
    command: str
    """`run`, `push --force` or `rollback`."""
    run_id: str
    """The run that pushed it, or whose model was pushed by force; empty for a rollback."""
    by: str
    """Who typed it; empty where a run pushed."""
    reason: str
    replaced: int | None
    """The version that was served until then."""
    execution_id: int
    copy_of: int | None = None
    """The version that a rollback brought back."""
    overridden: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Node to its objections, where a person pushed against them."""


@dataclasses.dataclass(frozen=True)
class ServingState:
    """What stands in the serving folder, and how it came there."""

    version: int | None
    """The version that servers load; None if there is none."""
    pushes: list[VersionPush]
    """All that were ever served, the latest first; what is served now is among them if ML Metadata knows it."""

    @property
    def current(self) -> VersionPush | None:
        """The push of what is served; None if ML Metadata does not know it."""
        return next((push for push in self.pushes if push.version == self.version), None)


def serving_state(store: Store, standing: int | None) -> ServingState:
    """Returns what is served and the whole history of it.

    Args:
      store: The workspace's.
      standing: The version that stands in the serving folder; None if none does.

    Raises:
      BadInputError: Nothing was ever pushed.
    """
    known = history(store)
    if not known and standing is None:
        raise BadInputError(
            "nothing was pushed from this workspace yet; `shortlist run` ends with a push or its reason"
        )
    return ServingState(standing, known[::-1])


def history(store: Store) -> list[VersionPush]:
    """Returns every push by a run or by hand, the oldest first."""
    return pushes(store.executions_of(*PUSHERS))


def pushes(pushers: Iterable[Execution]) -> list[VersionPush]:
    """Returns what executions pushed, in their order; what a run replaced is the newest version of those before it."""
    found: list[VersionPush] = []
    for execution in pushers:
        artifact = pushed_by(execution)
        if execution.state == "COMPLETE" and artifact is not None:
            found.append(_push(execution, artifact, max((push.version for push in found), default=None)))
    return found


def pushed_by(execution: Execution) -> Artifact | None:
    """Returns the record of what an execution pushed; None if it pushed nothing."""
    for outputs in execution.outputs.values():
        for artifact in outputs:
            if artifact.type == "PushedModel" and artifact.properties.get(properties.PUSHED) == 1:
                return artifact
    return None


def _push(execution: Execution, artifact: Artifact, before: int | None) -> VersionPush:
    recorded = execution.properties
    # A rollback records what it replaced; a run only finds the newest version there.
    replaced = int(recorded.get(properties.REPLACED_VERSION, 0)) or before
    restored = recorded.get(properties.RESTORED_VERSION)
    pushed = PushedModel.of(artifact)
    assert pushed is not None
    assert pushed.version is not None
    return VersionPush(
        version=pushed.version,
        path=pushed.destination,
        at=execution.ended,
        command=_COMMANDS.get(execution.node, RUN),
        run_id=execution.run_id or str(recorded.get(properties.RUN_ID, "")),
        by=str(recorded.get(properties.BY, "")),
        reason=str(recorded.get(properties.REASON, "")),
        replaced=replaced,
        execution_id=execution.id,
        copy_of=None if restored is None else int(restored),
        overridden=_overridden(execution),
    )


def _overridden(execution: Execution) -> dict[str, list[str]]:
    found = artifacts.json_object(execution.properties.get(properties.OVERRIDDEN))
    return {node: [str(reason) for reason in reasons] for node, reasons in found.items()}
