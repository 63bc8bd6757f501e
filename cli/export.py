"""`shortlist export`: parts of the pushed model for other systems."""

from __future__ import annotations

import dataclasses
import enum
import json
import pathlib
from typing import Annotated

import typer

from cli.conventions import SuggestingGroup
from cli.folders import relative
from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption
from cli.output import consoles
from shortlist.process import limits

app = typer.Typer(
    cls=SuggestingGroup, no_args_is_help=True, rich_markup_mode="rich", help="Export parts of the pushed model."
)


@app.callback()
def export() -> None:
    """Export parts of the pushed model for other systems."""


class VectorFormat(str, enum.Enum):
    """Format of exported vectors."""

    PARQUET = "parquet"
    NPY = "npy"
    QDRANT = "qdrant"
    MILVUS = "milvus"


@app.command("embeddings")
def embeddings(
    config: ConfigOption = None,
    set_: SetOption = None,
    form: Annotated[
        VectorFormat,
        typer.Option("--format", help="qdrant and milvus: JSON Lines for an upsert or a bulk insert."),
    ] = VectorFormat.PARQUET,
    output: Annotated[
        pathlib.Path | None, typer.Option(metavar="FOLDER", help="New folder; by default one in the workspace.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export the vectors of the served model's candidates for another vector store.

    Example: shortlist export embeddings --format qdrant --output vectors
    """
    from cli.output import log
    from shortlist.process import resources, stopping
    from shortlist.serving import served_model
    from shortlist.workspace import Workspace

    # Before the config is loaded, which may enter another folder.
    target = output.absolute() if output else None
    workspace = Workspace.of(Invocation.of(config, set_).load())
    served_model.version_path(workspace.serving_dir)
    limits.check_addresses()
    with (
        workspace.reserve("export embeddings", must_exist=True),
        log.redirect_output(workspace.root / "export.log", verbose=False),
        resources.raises_resource_error(workspace.root),
        stopping.reraise_stop(writing=True),
    ):
        from pipeline.export_embeddings import export_embeddings

        result = export_embeddings(workspace, form.value, target)
    if as_json:
        print(json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False))
        return
    console = consoles.console()
    console.print(f"Pipeline  {workspace.name}")
    console.print(f"Vectors   {result.candidates:,} of {result.embedding_dim} numbers, from version {result.version}")
    console.print(f"Files     {', '.join(result.files)} in {relative(result.folder)}")
