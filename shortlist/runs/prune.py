"""Old artifacts that may go: what is served and its lineage never, nor what the next run needs.

What goes is large: examples, transforms, models and copies of pushed ones. Statistics, schemas, verdicts and the
evaluation stay with ML Metadata's records, so that `lineage` and `runs` go on answering.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence

from shortlist.errors import BadInputError
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.lineage.trace import pushed_models, upstream
from shortlist.records.artifacts import Blessing

LARGE = ("Examples", "TransformGraph", "Model", "ModelRun", "PushedModel")
"""Types of artifacts that are deleted."""


@dataclasses.dataclass(frozen=True)
class PrunePlan:
    """What would be deleted."""

    artifacts: list[Artifact]
    """The oldest first."""
    bytes: int
    """What their files take."""
    kept_versions: list[int]
    """Pushed versions whose whole lineage stays."""
    kept_runs: list[str]


def plan(store: Store, pipeline_root: pathlib.Path, versions: Sequence[int], kept_runs: Sequence[str]) -> PrunePlan:
    """Returns what may go; nothing is changed.

    Args:
      store: The workspace's.
      pipeline_root: Nothing outside is ever deleted.
      versions: Those that stand in the serving folder: any of them can be served again by a rollback.
      kept_runs: Runs of which everything stays.

    Raises:
      BadInputError: A version is served of which ML Metadata does not know where it came from.
    """
    known = pushed_models(store)
    for version in versions:
        if version not in known:
            raise BadInputError(
                f"version {version} stands in the serving folder and ML Metadata does not know it, "
                "so that nothing says which artifacts it came from; move it away, or push anew"
            )
    kept = _kept(store, [known[version] for version in versions], kept_runs)
    # A rollback and a forced push record a folder that another artifact names, too.
    folders = {_folder(artifact) for artifact in kept}
    found, root = [], pathlib.Path(os.path.abspath(pipeline_root))
    for artifact in store.all_artifacts():
        folder = _folder(artifact)
        if artifact.type not in LARGE or root not in folder.parents or not folder.is_dir():
            continue
        if not any(folder == other or folder in other.parents or other in folder.parents for other in folders):
            found.append(artifact)
    size = sum(_bytes(folder) for folder in {_folder(artifact) for artifact in found})
    return PrunePlan(found, size, list(versions), list(kept_runs))


def _kept(store: Store, pushed: Sequence[Artifact], kept_runs: Sequence[str]) -> list[Artifact]:
    roots = list(pushed)
    model = _latest_blessed(store)
    if model is not None:
        # The next run's model is compared with it.
        roots.append(model)
    for run_id in kept_runs:
        roots += [artifact for execution in store.run_executions(run_id) for artifact in _of(execution)]
    made_by = upstream(store, [artifact.id for artifact in roots])
    return roots + [artifact for execution in made_by for artifact in _of(execution)]


def _of(execution: Execution) -> Iterable[Artifact]:
    for artifacts in (*execution.inputs.values(), *execution.outputs.values()):
        yield from artifacts


def _latest_blessed(store: Store) -> Artifact | None:
    """Returns the model that the next run's is compared with, as the pipeline's resolver finds it."""
    models = [
        blessing.model_id or 0
        for artifact in store.artifacts("ModelBlessing")
        if (blessing := Blessing.of(artifact)) is not None and blessing.blessed
    ]
    # The Indexer's blessings name no model.
    return store.artifact(max(models)) if any(models) else None


def _folder(artifact: Artifact) -> pathlib.Path:
    return pathlib.Path(os.path.abspath(artifact.uri))


def _bytes(folder: pathlib.Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
