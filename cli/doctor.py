"""`shortlist doctor`: checks of this machine."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Annotated

import typer
from rich.text import Text

from cli.options import JsonOption
from cli.output import consoles
from shortlist.errors import ExitCode


def doctor(
    workspace: Annotated[pathlib.Path, typer.Option(help="Check the disk of this folder.")] = pathlib.Path(),
    as_json: JsonOption = False,
) -> None:
    """Check Python, the six packages, ScaNN's ops, disk and memory.

    Example: shortlist doctor
    """
    from cli import doctor_checks as checks

    results = checks.run_checks(workspace)
    if as_json:
        print(json.dumps([dataclasses.asdict(result) for result in results], indent=2))
    else:
        console = consoles.console()
        for result in results:
            mark = Text("ok   ", "green") if result.ok else Text("FAIL ", "red")
            consoles.print_marked(console, mark, f"{result.name}: {result.detail}")
            if not result.ok:
                console.print(f"     {result.remedy}")
    if not all(result.ok for result in results):
        raise typer.Exit(int(ExitCode.BAD_INPUT))
