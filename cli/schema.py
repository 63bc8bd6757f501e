"""`shortlist schema`: a first config and schema for new data."""

from __future__ import annotations

import csv
import os
import pathlib
from typing import Annotated

import typer
from rich.console import Console

from cli.conventions import SuggestingGroup
from cli.invocation import Invocation
from cli.output import consoles
from cli.output.wrapping import print_command
from shortlist.errors import BadInputError

app = typer.Typer(cls=SuggestingGroup, help="Write a first config and schema for new data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Makes `schema` a group of commands although it has only one."""


@app.command("infer")
def infer(
    interactions: Annotated[
        str | None, typer.Argument(help="The log: a file, folder or pattern, from SHORTLIST_DATA_DIR or here.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the new pipeline: a-z, 0-9 and dashes.", show_default=False)
    ] = None,
    candidates: Annotated[str | None, typer.Option(help="The catalogue; by default made from the log.")] = None,
    queries: Annotated[str | None, typer.Option(help="The table of query (user) features.")] = None,
    query_id: Annotated[str | None, typer.Option(help="The log's column of query (user) ids.")] = None,
    candidate_id: Annotated[str | None, typer.Option(help="The log's column of candidate (item) ids.")] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            help="The log's column of times; `none` if there are no times, `row` if the rows are in the order of time."
        ),
    ] = None,
    timestamp_format: Annotated[
        str | None, typer.Option(help="Format of the times for strptime, such as `%m/%d/%Y %H:%M`.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Characters between the log's fields; also `tab` and `blank`.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the log's first line has the column names.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of the log's columns, separated by commas, for a file without a header.")
    ] = None,
    candidates_columns: Annotated[str | None, typer.Option(help="The same for the catalogue.")] = None,
    queries_columns: Annotated[str | None, typer.Option(help="The same for the table of queries.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of the log, such as `cp1252`.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal mark of the log's numbers: `.` or `,`.")] = None,
    config: Annotated[
        pathlib.Path | None,
        typer.Option(help="Config to write, by default configs/<name>.yaml; with --update, the config to read."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Add features that --config has gained to its schemas, and nothing else.")
    ] = False,
) -> None:
    """Write a first config and schema for new data, and print a profile and each guess.

    Example: shortlist schema infer shop/orders.csv --name shop
    Example: shortlist schema infer --update --config configs/shop.yaml
    """
    if update:
        if interactions is not None or name is not None:
            raise BadInputError("with --update, give only --config FILE: the config says where its data are")
        _update(config)
        return
    if interactions is None or name is None:
        raise BadInputError("give the log and --name NAME, or --update --config FILE")
    from shortlist import datasets
    from shortlist.config.secrets import check_no_credentials
    from shortlist.infer import Hints, TextOptions, guess_config, locate, write_guess

    for option, path in (("INTERACTIONS", interactions), ("--candidates", candidates), ("--queries", queries)):
        # The written config would contain them.
        check_no_credentials(option, path or "")
    console = consoles.console()
    root = datasets.default_data_dir()
    here = pathlib.Path.cwd()
    log, catalogue, users = (path and locate(path, root, here) for path in (interactions, candidates, queries))
    text = TextOptions(_DELIMITERS.get(delimiter or "", delimiter), header, _names(columns), encoding, decimal)
    hints = Hints(
        query_id, candidate_id, timestamp, timestamp_format, text, _names(candidates_columns), _names(queries_columns)
    )
    with console.status(f"Reading {interactions} ..."):
        guess = guess_config(str(log), catalogue, users, root, hints)
    for line in guess.profile:
        console.print(f"  {line}")
    for warning in guess.warnings:
        consoles.warn(console, warning)
    file_name = name.replace("-", "_")
    target = config or pathlib.Path("configs") / f"{file_name}.yaml"
    paths = write_guess(guess, name, target, pathlib.Path("schemas") / file_name, force)
    for reason in guess.reasons:
        console.print(f"  {reason}")
    for typed, path in ((interactions, log), (candidates, catalogue), (queries, users)):
        if typed != path:
            console.print(f"  {typed} was found from the current folder; the config names it {path}.")
    console.print(f"Wrote {paths.config} and {', '.join(map(str, paths.schemas))}.")
    _check(console, paths.config, root)
    console.print("Correct wrong guesses, then:")
    print_command(console, "", Invocation(paths.config).command("check"))


def _update(path: pathlib.Path | None) -> None:
    """Adds new features to the schemas of a config, and prints them."""
    from shortlist import datasets
    from shortlist.infer.update import update_schemas
    from shortlist.tables import preflight

    console = consoles.console()
    invocation = Invocation.of_own_pipeline(path, None)
    config = invocation.load()
    added = update_schemas(config, datasets.default_data_dir())
    for feature in added:
        share = f"a value in {feature.present:.0%} of the first rows"
        line = f"  {feature.table}: {feature.feature} ({feature.type}, {share}) added to {feature.path}"
        console.print(line)
    if not added:
        console.print("The schemas have all features of the config.")
    for warning in preflight.check_schemas(config.data):
        consoles.warn(console, warning)
    print_command(console, "Next", invocation.command("run"))


_DELIMITERS = {"tab": "\t", "\\t": "\t", "blank": " ", "blanks": " ", "space": " "}


def _names(columns: str | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    return tuple(next(csv.reader([columns]), []))


def _check(console: Console, config: pathlib.Path, root: os.PathLike[str]) -> None:
    """Prints the warnings of `run` about the written config.

    Raises:
      DataError: `run` would refuse the tables; the error says that the files were written.
    """
    from shortlist.config.load import load_config
    from shortlist.errors import DataError
    from shortlist.tables import preflight

    try:
        report = preflight.check_tables(load_config(config), root)
    except DataError as error:
        raise DataError(f"{error} (`run` refuses {config} until then)") from None
    for warning in report.warnings:
        consoles.warn(console, warning)
