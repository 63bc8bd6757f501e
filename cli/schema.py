"""`shortlist schema`: a first config and schema for new data."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from cli.invocation import Invocation
from cli.output import consoles
from shortlist.sanitize import plain

app = typer.Typer(help="Write a first config and schema for new data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Makes `schema` a group of commands although it has only one."""


@app.command("infer")
def infer(
    interactions: Annotated[
        str, typer.Argument(help="The log: a file, folder or pattern; relative to SHORTLIST_DATA_DIR.")
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the new pipeline: a-z, 0-9 and dashes.")],
    candidates: Annotated[str | None, typer.Option(help="The catalogue; by default made from the log.")] = None,
    queries: Annotated[str | None, typer.Option(help="The table of query (user) features.")] = None,
    query_id: Annotated[str | None, typer.Option(help="The log's column of query (user) ids.")] = None,
    candidate_id: Annotated[str | None, typer.Option(help="The log's column of candidate (item) ids.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="The log's column of times.")] = None,
    config: Annotated[
        pathlib.Path | None, typer.Option(help="Config to write; by default configs/<name>.yaml.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write a first config and schema for new data, and print each guess.

    Example: shortlist schema infer shop/orders.csv --name shop
    """
    from shortlist import datasets
    from shortlist.config.load import load_config
    from shortlist.config.secrets import check_no_credentials
    from shortlist.infer import Hints, guess_config, write_guess
    from shortlist.tables import preflight

    for option, path in (("INTERACTIONS", interactions), ("--candidates", candidates), ("--queries", queries)):
        # The written config would contain them.
        check_no_credentials(option, path or "")
    console = consoles.console()
    root = datasets.default_data_dir()
    with console.status(f"Reading {interactions} ..."):
        guess = guess_config(interactions, candidates, queries, root, Hints(query_id, candidate_id, timestamp))
    file_name = name.replace("-", "_")
    target = config or pathlib.Path("configs") / f"{file_name}.yaml"
    paths = write_guess(guess, name, target, pathlib.Path("schemas") / file_name, force)
    for reason in guess.reasons:
        console.print(f"  {reason}", soft_wrap=True)
    console.print(f"Wrote {paths.config} and {', '.join(map(str, paths.schemas))}.", soft_wrap=True)
    for warning in preflight.check(load_config(target), root).warnings:
        consoles.warn(console, warning)
    command = Invocation(paths.config).command("run")
    console.print(f"Correct wrong guesses, then: {plain(command)}", soft_wrap=True)
