"""All commands, and how an error ends a process."""

from __future__ import annotations

import sys

import click
import typer
from rich.console import Console

from shortlist.cli import data, doctor, lineage, recommend, run
from shortlist.errors import ExitCode, ShortlistError

app = typer.Typer(
    name="shortlist",
    help="From an interaction log to a served retrieval model, with numbers that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("recommend")(recommend.recommend)
app.command("lineage")(lineage.lineage)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")


def main() -> None:
    """Runs a command; every error that a user can act on is one sentence on stderr."""
    stderr = Console(stderr=True, highlight=False)
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = ExitCode.BAD_INPUT
    except KeyboardInterrupt:
        stderr.print("Interrupted. Finished nodes are kept: the same command goes on from there.")
        code = ExitCode.INTERRUPTED
    except ShortlistError as error:
        stderr.print("[bold red]Error:[/] ", end="")
        stderr.print(str(error), markup=False, soft_wrap=True)
        code = error.exit_code
    sys.exit(int(code or 0))
