"""Options shared by several commands."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

DEFAULT_CONFIG = pathlib.Path("configs/movielens_100k.yaml")

ConfigOption = Annotated[
    pathlib.Path, typer.Option("--config", "-c", help="The pipeline's YAML file; presets are in configs/.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a config value: train.seed=2.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print every log line.")]
