"""`shortlist push --force`: a push of a rejected model."""

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
from shortlist.errors import BadInputError
from shortlist.process import limits


def push(
    config: OwnConfigOption = None,
    set_: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Override the gates; required.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, recorded in ML Metadata; required.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Push the latest run's model although it was not blessed or its index was rejected.

    The serving check runs again and cannot be overridden: a model that does not
    load or answers wrongly is not pushed. ML Metadata records the reason, the
    overridden verdicts and the user.

    Example: shortlist push --force --reason "new catalogue, the old model knows half of it"
    """
    # `push` without --force has no meaning: the pipeline itself pushes blessed models.
    if not force or not reason.strip():
        raise BadInputError(
            "`shortlist run` pushes models that pass the gates; to push a rejected one, give --force and --reason TEXT"
        )
    from cli.output import log
    from shortlist.workspace import Workspace

    invocation = Invocation.of_own_pipeline(config, set_)
    checked_config = invocation.load()
    workspace = Workspace.of(checked_config)
    limits.check_addresses()
    with (
        workspace.reserve("push", must_exist=True),
        log.redirect_output(workspace.root / "push.log", verbose=False) as terminal,
    ):
        from pipeline.forced_push import force_push

        # With --json, programs read stdout: nothing else may be printed there.
        print_line = _print_nothing if as_json else terminal.print
        result = force_push(checked_config, workspace, reason.strip(), print_line)
    if as_json:
        print(json.dumps(dataclasses.asdict(result), indent=2, ensure_ascii=False))
        return
    console = consoles.console()
    console.print(f"Pipeline  {workspace.name}")
    for node, reasons in result.overridden.items():
        for verdict in reasons:
            console.print(f"Overrode  {node}: {verdict}")
    console.print(f"Served    version {result.version}, the model of run {result.run_id}, pushed by force")
    console.print(f"          {relative(result.path)}")
    print_command(console, "Undo", invocation.command("rollback"))


def _print_nothing(line: str) -> None:
    pass
