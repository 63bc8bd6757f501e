"""`shortlist ablate`: what each part of a recipe is worth."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, SetOption

if TYPE_CHECKING:
    from pipeline.ablations.table import Ablations

_WIDTH = 130


class Split(str, enum.Enum):
    """Whose rows are ranked."""

    EVAL = "eval"
    TEST = "test"


def ablate(
    config: ConfigOption = DEFAULT_CONFIG,
    set_: SetOption = None,
    seeds: Annotated[int, typer.Option(min=1, max=50, help="So many trainings of each recipe.")] = 3,
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of train.epochs, to be quicker.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="Switch this part alone; may be given again.")
    ] = None,
    split: Annotated[Split, typer.Option(help="Whose rows are ranked; test costs you an unseen test.")] = Split.EVAL,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every log line, too.")] = False,
) -> None:
    """Switch each part of the recipe alone and tell what it is worth, beyond noise.

    Trains on the windows of the latest run of this config; every training is kept
    in the workspace, so that it can be interrupted and started again.

    Example: shortlist ablate --config configs/movielens_100k.yaml --epochs 12
    Example: shortlist ablate --only history --only dropout --seeds 5
    """
    from cli.output import log, progress
    from shortlist.config.load import load_config
    from shortlist.config.overrides import parse_overrides
    from shortlist.workspace import Workspace

    checked = load_config(config, parse_overrides(set_ or []))
    workspace = Workspace.of(checked)
    folder = workspace.root / "ablations"
    with workspace.reserve("ablate", must_exist=True):
        folder.mkdir(exist_ok=True)
        with log.redirect_output(folder / "ablate.log", verbose) as terminal:
            with terminal.status("Loading TensorFlow ..."):
                from components.trainer.from_config import settings_from
                from pipeline.ablations import run, table, windows
            found = windows.latest(workspace, checked)
            first = checked.train.seed
            plan = run.plan(
                settings_from(checked),
                range(first, first + seeds),
                split.value,
                epochs,
                only or (),
                found.has_subseconds,
            )
            # Programs read the standard output.
            shown = Console(stderr=True, quiet=True) if as_json else terminal
            with progress.ProgressListener(shown, unit="trial") as listener:
                result = run.run(plan, found, folder, listener)
        (folder / "ablations.json").write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / "ablations.md").write_text(table.markdown(result), encoding="utf-8")
    if as_json:
        print(result.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    _print(result, Console(highlight=False, width=max(console.width, _WIDTH)))
    console.print(f"Table     {folder / 'ablations.md'}, and .json", soft_wrap=True, markup=False)


def _print(found: Ablations, console: Console) -> None:
    from rich.table import Table

    from pipeline.ablations import effects, table

    colours = {effects.HELPS: "green", effects.COSTS: "red"}
    console.print()
    console.print(table.lead(found))
    for group in found.groups:
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in table.HEAD:
            shown.add_column(name, justify="right" if name in ("top_10", "training s") else "left")
        for row in table.rows(group):
            colour = colours.get(row[5])
            row[5] = f"[{colour}]{row[5]}[/]" if colour else f"[dim]{row[5]}[/]"
            shown.add_row(*row)
        console.print()
        console.print(table.title(group), markup=False)
        console.print(shown)
    console.print()
