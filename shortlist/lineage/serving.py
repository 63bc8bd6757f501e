"""The served version and the history of pushes."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.store import Store
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
    """One pushed version."""

    version: int
    path: str
    at: datetime.datetime
    """End of the push."""
    command: str
    """`run`, `push --force` or `rollback`."""
    run_id: str
    """The run that pushed it, or the run whose model was pushed by force; empty for a rollback."""
    by: str
    """The user of a manual command; empty for a push by a run."""
    reason: str
    replaced: int | None
    """The version served before."""
    execution_id: int
    copy_of: int | None = None
    """The version that a rollback copied."""
    overridden: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    """Node to its objections, if a user pushed in spite of them."""


@dataclasses.dataclass(frozen=True)
class ServingState:
    """The served version and all pushes."""

    version: int | None
    """The newest version in the serving folder, which servers load; None if there is none."""
    pushes: list[VersionPush]
    """All pushes in ML Metadata, the latest first."""

    @property
    def current(self) -> VersionPush | None:
        """The push of the served version; None if ML Metadata has no record of it."""
        return next((push for push in self.pushes if push.version == self.version), None)


def serving_state(store: Store, version: int | None) -> ServingState:
    """Returns the served version and all pushes.

    Args:
      store: The workspace's store.
      version: The newest version in the serving folder; None if there is none.

    Raises:
      BadInputError: Nothing was ever pushed.
    """
    all_pushes = history(store)
    if not all_pushes and version is None:
        raise BadInputError(
            "nothing was pushed from this workspace yet; `shortlist run` pushes a model, or reports why it did not"
        )
    return ServingState(version, all_pushes[::-1])


def history(store: Store) -> list[VersionPush]:
    """Returns all pushes, by runs and by hand, the oldest first."""
    return pushes(store.executions_of(*PUSHERS))


def pushes(pushers: Iterable[Execution]) -> list[VersionPush]:
    """Returns the pushes of executions, in their order; a run replaces the newest version before it."""
    found: list[VersionPush] = []
    for execution in pushers:
        artifact = pushed_by(execution)
        if execution.state == "COMPLETE" and artifact is not None:
            found.append(_push(execution, artifact, max((push.version for push in found), default=None)))
    return found


def pushed_by(execution: Execution) -> Artifact | None:
    """Returns the artifact of an execution's push; None if it pushed nothing."""
    for outputs in execution.outputs.values():
        for artifact in outputs:
            if artifact.type == "PushedModel" and artifact.properties.get(properties.PUSHED) == 1:
                return artifact
    return None


def _push(execution: Execution, artifact: Artifact, before: int | None) -> VersionPush:
    recorded = execution.properties
    # A rollback records the replaced version; for a run it is the newest version before.
    replaced = int(recorded.get(properties.REPLACED_VERSION, 0)) or before
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
        copy_of=artifacts.whole_number(recorded.get(properties.RESTORED_VERSION)),
        overridden=_overridden(execution),
    )


def _overridden(execution: Execution) -> dict[str, list[str]]:
    found = artifacts.json_object(execution.properties.get(properties.OVERRIDDEN))
    return {node: [str(reason) for reason in reasons] for node, reasons in found.items()}
