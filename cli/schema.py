"""`shortlist schema`: a first config and schema for new data."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="Write a first config and schema for new data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `schema` a group although it has one command so far."""


@app.command("infer")
def infer(
    interactions: Annotated[
        str, typer.Argument(help="The log: a file, folder or pattern; relative to SHORTLIST_DATA_DIR.")
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the new pipeline: a-z, 0-9 and dashes.")],
    candidates: Annotated[str | None, typer.Option(help="The catalogue; made from the log unless given.")] = None,
    queries: Annotated[str | None, typer.Option(help="What is known of the queries (users).")] = None,
    query_id: Annotated[str | None, typer.Option(help="The log's column of query (user) ids.")] = None,
    candidate_id: Annotated[str | None, typer.Option(help="The log's column of candidate (item) ids.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="The log's column of times.")] = None,
    config: Annotated[
        pathlib.Path | None, typer.Option(help="Config to write; configs/<name>.yaml unless given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Look at new data and write a first config and schema for it, saying what was guessed.

    Example: shortlist schema infer shop/orders.csv --name shop
    """
    from shortlist import datasets
    from shortlist.config.load import load_config
    from shortlist.infer import Hints, guess_config, write_guess
    from shortlist.tables import preflight

    console = Console(highlight=False)
    root = datasets.default_data_dir()
    with console.status(f"Looking at {interactions} ..."):
        guessed = guess_config(interactions, candidates, queries, root, Hints(query_id, candidate_id, timestamp))
    file_name = name.replace("-", "_")
    target = config or pathlib.Path("configs") / f"{file_name}.yaml"
    written = write_guess(guessed, name, target, pathlib.Path("schemas") / file_name, force)
    for reason in guessed.reasons:
        console.print(f"  {reason}", markup=False, soft_wrap=True)
    console.print(f"Wrote {written.config} and {', '.join(map(str, written.schemas))}.", soft_wrap=True)
    for warning in preflight.check(load_config(target), root).warnings:
        console.print(f"[yellow]Warning:[/] {warning}", soft_wrap=True)
    console.print(f"Correct them where they are wrong, then: shortlist run --config {written.config}", soft_wrap=True)
