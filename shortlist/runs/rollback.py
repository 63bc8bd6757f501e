"""Makes an older version of the pushed model the served one again."""

from __future__ import annotations

import dataclasses

from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.store import Artifact, Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes, properties
from shortlist.records.artifacts import PushedModel
from shortlist.serving import versions
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RestoredVersion:
    """What is served after a rollback."""

    version: int
    """The new version: servers load the highest number, so that going back takes a new one."""
    restored_version: int
    """The version that it is a copy of."""
    replaced_version: int
    """The version that was served before."""
    path: str
    reason: str
    by: str


def rollback(workspace: Workspace, keep_versions: int, version: int | None = None, reason: str = "") -> RestoredVersion:
    """Serves a copy of a kept version under a new number and records the step in ML Metadata.

    The caller holds the workspace. Both twins are copied and arrive in one step, as in a push; what was served stays
    until then. A death at any moment leaves the old or the new version, and ML Metadata says which.

    Args:
      workspace: The pipeline's.
      keep_versions: Newest versions kept.
      version: The version to restore; the one served before the current one unless given.
      reason: For whoever reads the lineage.

    Raises:
      BadInputError: There is no such version, or it cannot be served.
    """
    book = journal.Journal(workspace)
    book.close_abandoned()
    served, chosen, original = _choose(workspace, keep_versions, version)
    model_dir = workspace.serving_dir / str(chosen)
    twin_dir = versions.exact_dir(workspace.serving_dir) / str(chosen)
    for folder in (model_dir, twin_dir):
        for name in versions.missing_files(folder):
            raise BadInputError(f"version {chosen} cannot be restored: {folder / name} is gone; choose another")

    facts = {
        properties.RESTORED_VERSION: str(chosen),
        properties.REPLACED_VERSION: str(served),
        properties.REASON: reason,
        properties.BY: journal.user_at_host(),
    }
    with book.step(nodes.ROLLBACK, {"pushed_model": [original]}, facts) as step:
        new = versions.push(
            model_dir,
            twin_dir,
            workspace.serving_dir,
            keep_versions,
            announce=lambda number: step.announce(
                "restored_model",
                "PushedModel",
                # The archive holds the same model.
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


def _choose(workspace: Workspace, keep_versions: int, version: int | None) -> tuple[int, int, Artifact]:
    """Returns the version that is served, the one to restore, and the record of its push."""
    folder = workspace.serving_dir
    kept = versions.versions(folder)
    if not kept:
        raise BadInputError(f"{folder}: no model was pushed yet; `shortlist run` ends with a push or its reason")
    *older, served = kept
    recorded = pushed_models(Store.of(workspace))
    known = [number for number in older if number in recorded]
    if version is None and not known:
        raise BadInputError(
            f"{folder}: there is no version to go back to, only {served} is kept; "
            f"push.keep_versions={keep_versions} says how many are"
        )
    chosen = known[-1] if version is None else version
    choice = f"choose one of {known}" if known else "there is no other"
    if chosen == served:
        raise BadInputError(f"version {chosen} is the one that is served; {choice}")
    if chosen not in kept:
        raise BadInputError(f"version {chosen} is not kept in {folder}; {choice}")
    if chosen not in recorded:
        raise BadInputError(
            f"version {chosen} is not in ML Metadata: its push was killed, or somebody copied it here; {choice}"
        )
    return served, chosen, recorded[chosen]
