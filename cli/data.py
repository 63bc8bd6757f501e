"""`shortlist data`: public data sets to start with."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.conventions import SuggestingGroup
from cli.folders import relative
from cli.output import consoles

app = typer.Typer(cls=SuggestingGroup, help="Get data to start with.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Makes `data` a group of commands although it has only one."""


@app.command("fetch")
def fetch(
    name: Annotated[str | None, typer.Argument(help="Name of the data set; without a name, all are listed.")] = None,
) -> None:
    """Fetch a public data set into SHORTLIST_DATA_DIR (default: `data`) and check its SHA-256.

    Example: shortlist data fetch movielens-100k
    """
    from shortlist import datasets

    console = consoles.console()
    if name is not None:
        fetch_with_progress(name, console)
        return
    for data_set in datasets.NAMES:
        counts = ", ".join(f"{rows:,} {table}" for table, rows in datasets.row_counts(data_set).items())
        console.print(f"{data_set:20}{counts}")


def fetch_with_progress(name: str, console: Console) -> None:
    """Fetches a data set unless it is already there, and prints its path."""
    from shortlist import datasets

    with console.status(f"Fetching {name} ..."):
        result = datasets.fetch(name, datasets.default_data_dir())
    console.print(f"Data      {relative(result.path)} ({result.source})")
    if result.caveat:
        console.print(f"Note      {result.caveat}")
