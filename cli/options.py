"""Options shared by several commands."""

from __future__ import annotations

import pathlib
from typing import Annotated

import click
import typer

from shortlist.errors import BadInputError

ConfigOption = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The pipeline's YAML file. Else SHORTLIST_CONFIG, else shortlist.yaml in this folder or above, else the "
        "MovieLens demo.",
    ),
]
OwnConfigOption = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The pipeline's YAML file. Else SHORTLIST_CONFIG, else shortlist.yaml in this folder or above.",
    ),
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
