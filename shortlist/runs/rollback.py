"""Rollback of the served model to an older version."""

from __future__ import annotations

import dataclasses
import pathlib

from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.executions import Artifact
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes, properties
from shortlist.records.artifacts import PushedModel
from shortlist.serving import versions
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RestoredVersion:
    """The version that a rollback restored."""

    version: int
    """The new version number; servers load the highest number, so a rollback needs a new one."""
    restored_version: int
    """The version that was copied."""
    replaced_version: int
    """The version served before."""
    path: str
    reason: str
    by: str


def rollback(workspace: Workspace, keep_versions: int, version: int | None = None, reason: str = "") -> RestoredVersion:
    """Serves a copy of a kept version under a new number and records the step in ML Metadata.

    The caller holds the workspace's lock. The model and its exact copy are copied and switched in one step, as in a
    push. The old version is served until then. If the process dies, the old or the new version is served, and ML
    Metadata records which.

    Args:
      workspace: The pipeline's workspace.
      keep_versions: Number of newest versions to keep.
      version: The version to restore; by default the version before the current one. The current one itself only if it
        is damaged: the run's artifacts have another copy of it.
      reason: Reason to show in the lineage.

    Raises:
      BadInputError: There is no such version, or it cannot be served.
    """
    lineage = journal.Journal(workspace)
    # A push that was killed after its renames has to be in the lineage before its version can be chosen.
    lineage.close_abandoned()
    served, chosen, original = _choose(workspace, keep_versions, version)
    model_dir = _whole_model(workspace, chosen, original)
    exact_dir = versions.exact_dir(workspace.serving_dir) / str(chosen)
    damage = versions.find_damage(exact_dir, with_variables=True)
    if damage is not None:
        raise _cannot_be_restored(chosen, exact_dir, damage)

    facts = {
        properties.RESTORED_VERSION: str(chosen),
        properties.REPLACED_VERSION: str(served),
        properties.REASON: reason,
        properties.BY: journal.user_at_host(),
    }
    with lineage.step(nodes.ROLLBACK, {"pushed_model": [original]}, facts) as step:
        new = versions.push(
            model_dir,
            exact_dir,
            workspace.serving_dir,
            keep_versions,
            announce=lambda number: step.announce(
                "restored_model",
                "PushedModel",
                # The archived copy of the original push has the same model.
                original.uri,
                {**facts, **PushedModel.properties_of(number, str(workspace.serving_dir / str(number)))},
            ),
        )
    return RestoredVersion(
        version=new,
        restored_version=chosen,
        replaced_version=served,
        path=str(workspace.serving_dir / str(new)),
        reason=reason,
        by=facts[properties.BY],
    )


def _whole_model(workspace: Workspace, version: int, original: Artifact) -> pathlib.Path:
    """Returns the version's own folder, or if that is damaged, the copy that the push left in the run's artifacts."""
    own = workspace.serving_dir / str(version)
    damage = versions.find_damage(own, with_variables=True)
    if damage is None:
        return own
    archived = pathlib.Path(original.uri)
    if versions.find_damage(archived, with_variables=True) is None:
        return archived
    raise _cannot_be_restored(version, own, damage)


def _cannot_be_restored(version: int, folder: pathlib.Path, damage: str) -> BadInputError:
    return BadInputError(f"version {version} cannot be restored: {folder} has {damage}; choose another")


def _choose(workspace: Workspace, keep_versions: int, version: int | None) -> tuple[int, int, Artifact]:
    """Returns the version that is served, the one to restore, and the record of its push."""
    folder = workspace.serving_dir
    available = versions.versions(folder)
    if not available:
        raise BadInputError(f"{folder}: no model was pushed yet; `shortlist run` pushes one, or reports why it did not")
    *older, served = available
    # Only recorded versions can be restored, because the rollback records the original as its input.
    recorded = pushed_models(Store.of(workspace))
    candidates = [number for number in older if number in recorded]
    if version is None and not candidates:
        raise BadInputError(
            f"{folder}: there is no older version to restore, only {served} is kept; "
            f"push.keep_versions is {keep_versions}"
        )
    chosen = version
    if chosen is None:
        chosen = candidates[-1]
    choice = f"choose one of {candidates}" if candidates else "there is no other"
    if chosen == served and versions.find_damage(folder / str(served), with_variables=True) is None:
        raise BadInputError(f"version {chosen} is already served; {choice}")
    if chosen not in available:
        raise BadInputError(f"version {chosen} is not kept in {folder}; {choice}")
    if chosen not in recorded:
        raise BadInputError(
            f"version {chosen} is not in ML Metadata: its push was killed, or it was copied here by hand; {choice}"
        )
    return served, chosen, recorded[chosen]
