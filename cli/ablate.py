"""`shortlist ablate`: the effect of each part of a training recipe."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.folders import relative
from cli.invocation import Invocation
from cli.options import JsonOption, OwnConfigOption, SetOption, VerboseOption
from cli.output import consoles
from shortlist.errors import ConfigError
from shortlist.process import limits

_NUMBERS = ("top_10", "training s")
# Columns of the table that are left out on a narrow terminal.
_DROPPED = {"training s": 2, "in the recipe": 1}

if TYPE_CHECKING:
    from pipeline.ablations.table import Ablations


class Split(str, enum.Enum):
    """The split with the ranked rows."""

    EVAL = "eval"
    TEST = "test"


def ablate(
    config: OwnConfigOption = None,
    set_: SetOption = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="Number of trainings per recipe.")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, max=100_000, help="Replaces train.epochs, to save time.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="Switch only this part; may be repeated.")
    ] = None,
    split: Annotated[
        Split, typer.Option(help="Rank the rows of this split. If you choose by test, it is no longer unseen.")
    ] = Split.EVAL,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Switch each part of the recipe alone and print its effect beside the noise.

    Trains on the windows of the latest run of this config. Every finished training
    is kept in the workspace, so that an interrupted ablation can continue.

    Example: shortlist ablate --config configs/movielens_100k.yaml --epochs 12
    Example: shortlist ablate --only history --only dropout --seeds 5
    """
    from cli.output import log, progress
    from shortlist.config.section import MAX_SEED
    from shortlist.workspace import Workspace

    checked_config = Invocation.of_own_pipeline(config, set_).load()
    first = checked_config.train.seed
    if first + seeds - 1 > MAX_SEED:
        raise ConfigError.from_parts(
            "train.seed", f"at most {MAX_SEED - seeds + 1:,} with --seeds {seeds}", f"{first:,}"
        )
    workspace = Workspace.of(checked_config)
    folder = workspace.root / "ablations"
    limits.check_addresses()
    with workspace.reserve("ablate", must_exist=True):
        folder.mkdir(exist_ok=True)
        with log.redirect_output(folder / "ablate.log", verbose) as terminal:
            # Late imports: TensorFlow takes seconds, and wrong options must be errors at once.
            with terminal.status("Loading TensorFlow ..."):
                from components.trainer.from_config import settings_from
                from pipeline.ablations import run, table, windows
            run_windows = windows.latest(workspace, checked_config)
            plan = run.plan(
                settings_from(checked_config),
                range(first, first + seeds),
                split.value,
                epochs,
                only or (),
                run_windows.has_subseconds,
            )
            # With --json, programs read stdout: nothing else may be printed there.
            progress_console = consoles.console(stderr=True, quiet=True) if as_json else terminal
            with progress.ProgressListener(progress_console, unit="trial") as listener:
                result = run.run(plan, run_windows, folder, listener)
        (folder / "ablations.json").write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / "ablations.md").write_text(table.markdown(result), encoding="utf-8")
    if as_json:
        print(result.model_dump_json(indent=1))
        return
    console = consoles.console()
    _print(result, console)
    console.print(f"Table     {relative(folder / 'ablations.md')}, and .json")


def _print(ablations: Ablations, console: Console) -> None:
    from rich.text import Text

    from pipeline.ablations import effects, table
    from shortlist.text_tables import TextColumn, print_table

    colours = {effects.HELPS: "green", effects.COSTS: "red"}
    console.print()
    console.print(table.lead(ablations))
    for group in ablations.groups:
        columns = [
            TextColumn(name, right=name in _NUMBERS, wraps=name not in _NUMBERS, drop=_DROPPED.get(name, 0))
            for name in table.HEAD
        ]
        rows: list[list[str | Text]] = [
            [*row[:5], Text(row[5], colours.get(row[5], "dim")), *row[6:]] for row in table.rows(group)
        ]
        console.print()
        console.print(table.title(group))
        print_table(console, columns, rows)
    console.print()
