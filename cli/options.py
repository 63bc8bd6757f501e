"""Options shared by several commands."""

from __future__ import annotations

import pathlib
from typing import Annotated

import click
import typer

from shortlist.errors import BadInputError

DEFAULT_CONFIG = pathlib.Path("configs/movielens_100k.yaml")

ConfigOption = Annotated[
    pathlib.Path, typer.Option("--config", "-c", help="The pipeline's YAML file; presets are in configs/.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config value: train.seed=2.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print every log line.")]


def is_for_subcommand(context: typer.Context) -> bool:
    """Returns whether a group of commands was called with one of its commands, which then reads its own options.

    Raises:
      BadInputError: An option stands before the command, where it would have no effect.
    """
    if context.invoked_subcommand is None:
        return False
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE:
            raise BadInputError.from_parts(
                "",
                f"{parameter.opts[0]} after `{context.invoked_subcommand}`",
                "it before",
                f"`{context.command_path} {context.invoked_subcommand} --help` lists the options",
            )
    return True
