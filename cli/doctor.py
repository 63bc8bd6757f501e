"""`shortlist doctor`: checks of this machine."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Annotated

import typer
from rich.console import Console

from cli.options import JsonOption
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
        console = Console(highlight=False)
        for result in results:
            mark = "[green]ok[/]  " if result.ok else "[red]FAIL[/]"
            console.print(f"{mark} {result.name}: {result.detail}", soft_wrap=True)
            if not result.ok:
                console.print(f"     {result.remedy}", soft_wrap=True)
    if not all(result.ok for result in results):
        raise typer.Exit(int(ExitCode.BAD_INPUT))
