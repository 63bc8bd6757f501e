"""Plan to delete old artifacts. Served versions, their lineage, and inputs of the next run are kept.

Only large artifacts are deleted: examples, transforms, models and copies of pushed models. Statistics, schemas,
verdicts, evaluations and ML Metadata's records stay, so `lineage` and `runs` still work.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

from shortlist.errors import BadInputError
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models, upstream
from shortlist.records.artifacts import Blessing

LARGE = ("Examples", "TransformGraph", "Model", "ModelRun", "PushedModel")
"""Types of artifacts that are deleted."""


@dataclasses.dataclass(frozen=True)
class PrunePlan:
    """Artifacts to delete, and the versions and runs to keep."""

    artifacts: list[Artifact]
    """The oldest first."""
    bytes: int
    """Size of their files."""
    kept_versions: list[int]
    """Pushed versions whose whole lineage is kept."""
    kept_runs: list[str]


def plan(store: Store, pipeline_root: pathlib.Path, versions: Sequence[int], kept_runs: Sequence[str]) -> PrunePlan:
    """Returns the plan; it deletes nothing.

    Args:
      store: The workspace's store.
      pipeline_root: No file outside of it is deleted.
      versions: Versions in the serving folder; a rollback can serve any of them again.
      kept_runs: Runs whose artifacts are all kept.

    Raises:
      BadInputError: ML Metadata has no record of a version in the serving folder.
    """
    pushed = pushed_models(store)
    for version in versions:
        if version not in pushed:
            raise BadInputError(
                f"version {version} is in the serving folder, but not in ML Metadata, "
                "so its lineage is unknown; move it away, or push again"
            )
    needed = _needed(store, [pushed[version] for version in versions], kept_runs)
    # A rollback and a forced push record a folder that another artifact also has.
    folders = {_folder(artifact) for artifact in needed}
    found, root = [], pathlib.Path(os.path.abspath(pipeline_root))
    for artifact in store.all_artifacts():
        folder = _folder(artifact)
        # Folders outside of the pipeline root do not belong to this pipeline.
        if artifact.type not in LARGE or root not in folder.parents or not folder.is_dir():
            continue
        if not any(folder == other or folder in other.parents or other in folder.parents for other in folders):
            found.append(artifact)
    size = sum(_bytes(folder) for folder in {_folder(artifact) for artifact in found})
    return PrunePlan(found, size, list(versions), list(kept_runs))


def _needed(store: Store, pushed: Sequence[Artifact], kept_runs: Sequence[str]) -> list[Artifact]:
    roots = list(pushed)
    model = _latest_blessed(store)
    if model is not None:
        # The next run compares its model with this one.
        roots.append(model)
    for run_id in kept_runs:
        roots += [artifact for execution in store.run_executions(run_id) for artifact in _of(execution)]
    made_by = upstream(store, [artifact.id for artifact in roots])
    return roots + [artifact for execution in made_by for artifact in _of(execution)]


def _of(execution: Execution) -> Iterable[Artifact]:
    for artifacts in (*execution.inputs.values(), *execution.outputs.values()):
        yield from artifacts


def _latest_blessed(store: Store) -> Artifact | None:
    """Returns the model that the next run compares with, by the rule of the pipeline's resolver."""
    models = [
        blessing.model_id or 0
        for artifact in store.artifacts("ModelBlessing")
        if (blessing := Blessing.of(artifact)) is not None and blessing.blessed
    ]
    # Blessings of the Indexer have no model id, which counts as 0 here.
    latest = max(models, default=0)
    return store.artifact(latest) if latest else None


def _folder(artifact: Artifact) -> pathlib.Path:
    return pathlib.Path(os.path.abspath(artifact.uri))


def _bytes(folder: pathlib.Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
