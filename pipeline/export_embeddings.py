"""Export of the served candidates' vectors, recorded in ML Metadata."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import uuid

from components.bulk import exports, vectors
from shortlist.errors import BadInputError
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes, properties
from shortlist.serving import served_model, versions
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ExportedVectors:
    """Finished files."""

    folder: str
    files: list[str]
    candidates: int
    embedding_dim: int
    version: int
    """The served version that the vectors are from."""


def export_embeddings(workspace: Workspace, form: exports.VectorFormat, output: pathlib.Path | None) -> ExportedVectors:
    """Writes the vectors of the served version's candidates. The folder appears when all of its files are complete.

    The caller holds the workspace.

    Args:
      workspace: The pipeline's workspace.
      form: See `exports.write_vectors`.
      output: A folder that does not exist yet; by default one in the workspace.

    Raises:
      BadInputError: No model is served, or the folder exists.
    """
    folder = served_model.version_path(workspace.serving_dir)
    version = int(folder.name)
    if output is not None and output.exists():
        raise BadInputError.from_parts(
            output, "a folder that does not exist yet", "one that exists", "choose another, or remove it"
        )
    exact = versions.exact_dir(workspace.serving_dir) / folder.name
    found = vectors.read_vectors(exact if exact.is_dir() else folder)
    book = journal.Journal(workspace)
    book.close_abandoned()
    pushed = pushed_models(Store.of(workspace)).get(version)
    facts: dict[str, str | int | float] = {"version": version, properties.BY: journal.user_at_host(), "format": form}
    with book.step(nodes.EMBEDDINGS, {"pushed_model": [pushed]} if pushed else {}, facts) as step:
        target = output.absolute() if output else book.output_folder(nodes.EMBEDDINGS, "embeddings", step.id)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            unfinished.mkdir()
            names = exports.write_vectors(found, form, str(unfinished))
            step.announce("embeddings", "InferenceResult", str(target), {"rows": len(found.ids), "version": version})
            os.rename(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return ExportedVectors(str(target), names, len(found.ids), int(found.embeddings.shape[1]), version)
