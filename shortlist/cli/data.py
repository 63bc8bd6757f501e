"""`shortlist data`: get data to start with."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="Get data to start with.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `data` a group although it has one command so far."""


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="movielens-100k or smoke.")],
) -> None:
    """Fetch a public data set into SHORTLIST_DATA_DIR (`data` unless set), checked by SHA-256.

    Example: shortlist data fetch movielens-100k
    """
    fetch_with_progress(name, Console(highlight=False))


def fetch_with_progress(name: str, console: Console) -> None:
    """Fetches a data set, or finds it already there, and says so in a line."""
    from shortlist import datasets

    with console.status(f"Fetching {name} ..."):
        result = datasets.fetch(name, datasets.default_data_dir())
    console.print(f"Data: {result.path} ({result.source})", soft_wrap=True)
