"""`shortlist compile`: the pipeline as a file for Kubeflow Pipelines."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from cli.folders import relative
from cli.invocation import Invocation
from cli.options import ConfigOption, SetOption, VerboseOption
from cli.output import consoles


def compile_(
    config: ConfigOption = None,
    set_: SetOption = None,
    output: Annotated[
        pathlib.Path | None, typer.Option("--output", "-o", help="File to write; <name>.yaml by default.")
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline",
            help="Add parameters for earlier models: to compare with, and for train.warm_start.",
        ),
    ] = False,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Add a parameter for the statistics of an earlier run.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Compile the pipeline for Kubeflow Pipelines v2 and check that its backend will accept it.

    The file contains no address, path or secret. The location of the data and the
    earlier model to compare with are parameters, see `shortlist submit`.

    Example: shortlist compile --config configs/movielens_100k.yaml -o pipeline.yaml
    """
    from cli import kubeflow
    from pipeline.kubeflow.parameters import placeholders

    console = consoles.console()
    # Loading the config may enter another folder.
    folder = pathlib.Path.cwd()
    checked_config = Invocation.of(config, set_).load()
    kubeflow.section(checked_config)
    # Before the data is read and TFX is loaded, as kfp is an optional extra.
    kubeflow.check_kfp()
    unit = kubeflow.timestamp_unit(checked_config)
    package = kubeflow.compile_package(
        checked_config, unit, placeholders(checked_config, baseline, statistics), console, verbose
    )
    path = folder / (output or f"{checked_config.name}.yaml")
    kubeflow.write(package, path)
    console.print(f"Wrote {relative(path)}: {len(package.tasks)} tasks, checked against KFP v2's own rules")
    console.print(f"Parameters of a run: {', '.join(sorted(package.parameters))}")
