"""`shortlist rollback`: an older version, served again."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from cli.folders import relative
from cli.invocation import Invocation
from cli.options import JsonOption, OwnConfigOption, SetOption
from cli.output import consoles
from cli.output.wrapping import print_command


def rollback(
    version: Annotated[
        int | None, typer.Argument(help="A kept version; by default the one served before the current one.")
    ] = None,
    config: OwnConfigOption = None,
    set_: SetOption = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, recorded in the lineage.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Serve an older version again, at once, and record it in ML Metadata.

    The older version is copied under a new number, since servers load the highest
    number. `shortlist lineage` shows the copied version. A second rollback undoes
    the first.

    Example: shortlist rollback --config configs/movielens_100k.yaml --reason "bad titles since noon"
    """
    from shortlist.runs import rollback as core
    from shortlist.workspace import Workspace

    invocation = Invocation.of_own_pipeline(config, set_)
    checked_config = invocation.load()
    workspace = Workspace.of(checked_config)
    # A pipeline that pushes at the same time would race for the next version number.
    with workspace.reserve("rollback", must_exist=True):
        result = core.rollback(workspace, checked_config.push.keep_versions, version, reason)
    if as_json:
        print(json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False))
        return
    console = consoles.console()
    console.print(f"Pipeline  {workspace.name}")
    console.print(
        f"Served    version {result.version}, a copy of {result.restored_version}, instead of {result.replaced_version}"
    )
    console.print(f"          {relative(result.path)}")
    undo = invocation.command("rollback", str(result.replaced_version))
    print_command(console, "Undo", undo)
