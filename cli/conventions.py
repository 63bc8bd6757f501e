"""What users expect of any command line: the version, a suggestion for a mistyped command, no styles on request."""

from __future__ import annotations

import difflib
import os
from typing import Any

import click
import typer
import typer.core


class SuggestingGroup(typer.core.TyperGroup):
    """A group of commands that suggests a command for a mistyped one and shows no empty defaults."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command; its help does not have `[default: None]`."""
        command = super().get_command(ctx, cmd_name)
        for parameter in command.params if command else ():
            if isinstance(parameter, typer.core.TyperOption | typer.core.TyperArgument) and not parameter.default:
                parameter.show_default = parameter.show_default and parameter.default not in (None, "", [], ())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns click's result; an unknown command's error has the most similar name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            similar = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if similar:
                error.message = f"{error.message.rstrip('.')}; did you mean {similar[0]!r}?"
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Returns what the command returns; each usage error names the command whose help has the remedy."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # Click's parser says nothing of the command where an option's value is missing.
            if error.ctx is None and ctx.invoked_subcommand is not None:
                command = self.commands[ctx.invoked_subcommand]
                error.ctx = click.Context(command, parent=ctx, info_name=ctx.invoked_subcommand)
            raise


def print_version(wanted: bool) -> None:
    """Prints the version and ends the command, if `--version` was given."""
    if wanted:
        from shortlist import __version__

        print(f"shortlist {__version__}")
        raise typer.Exit


def without_styles() -> None:
    """Removes all styles from the help if NO_COLOR is set; rich would leave bold and dim text."""
    if os.environ.get("NO_COLOR"):
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None
