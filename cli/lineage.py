"""`shortlist lineage`: origin of pushed models, impact of data, reasons of verdicts, and served versions."""

from __future__ import annotations

import json
import pathlib
import re
from typing import TYPE_CHECKING, Annotated

import typer

from cli.conventions import SuggestingGroup
from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption, is_for_subcommand
from cli.output import consoles
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from rich.console import Console

    from shortlist.lineage.why import Verdict
    from shortlist.summary import Summary
    from shortlist.workspace import Workspace

# The user's text becomes part of a path: only names are allowed, not paths.
_ID = re.compile(r"[0-9A-Za-z-]+")

app = typer.Typer(cls=SuggestingGroup, invoke_without_command=True, rich_markup_mode="rich")


@app.callback()
def lineage(
    context: typer.Context,
    config: ConfigOption = None,
    set_: SetOption = None,
    version: Annotated[int | None, typer.Option(help="A pushed version; by default the newest.")] = None,
    impact: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Models made from data: a run, the start of a table's SHA-256, or an artifact's id."
        ),
    ] = None,
    why: Annotated[str | None, typer.Option(metavar="RUN", help="Why a run's model was not pushed.")] = None,
    served: Annotated[
        bool, typer.Option("--served", help="The served version, since when, and the versions before it.")
    ] = False,
    html: Annotated[
        pathlib.Path | None, typer.Option(metavar="FILE", help="Write the model's origin as one page for a browser.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the origin of a pushed model, from the push back to the data files.

    All answers come from ML Metadata, offline. Other questions have their own
    options, and `shortlist lineage diff A B` compares two runs.

    Example: shortlist lineage --config configs/movielens_100k.yaml
    """
    if is_for_subcommand(context):
        return
    options = {"--version": version is not None, "--impact": impact, "--why": why, "--served": served}
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise BadInputError.from_parts("", "one question at a time", " and ".join(given), "leave out all but one")
    if html and (as_json or impact or why or served):
        raise BadInputError(
            "--html shows the origin of a pushed model; use --json, --impact, --why and --served without it"
        )
    # Loading the config may enter another folder.
    html = html and html.absolute()
    invocation = Invocation.of(config, set_)
    workspace = invocation.workspace()
    if html:
        _page(workspace, version, html)
    elif impact:
        _impact(workspace, impact, as_json)
    elif why:
        _why(workspace, why, invocation, as_json)
    elif served:
        _served(workspace, as_json)
    else:
        _trace(workspace, version, as_json)


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A run, a pushed version, or `latest`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the differences between two runs or pushed versions, the most important first.

    Metrics with their standard errors; data with the drift of each feature;
    schema, hyperparameters, config, code, index, time and memory.

    Example: shortlist lineage diff 20261124T144222Z latest
    """
    from cli.output import lineage as lineage_text
    from shortlist.lineage import as_json as plain_data
    from shortlist.lineage.compared import run_or_version
    from shortlist.lineage.diff.sections import diff
    from shortlist.lineage.store import Store

    workspace = Invocation.of(config, set_).workspace()
    store = Store.of(workspace)
    before_side, after_side = (
        run_or_version(store, _run_id(workspace, name), lambda run_id: _summary(workspace, run_id), workspace.is_open)
        for name in (before, after)
    )
    answer = diff(before_side, after_side)
    if as_json:
        _print_json(plain_data.diff(answer))
    else:
        lineage_text.print_tree(lineage_text.diff(answer))


def _trace(workspace: Workspace, version: int | None, as_json: bool) -> None:
    from cli.output import lineage as lineage_text
    from shortlist.lineage import as_json as plain_data
    from shortlist.lineage.store import Store
    from shortlist.lineage.trace import trace_pushed

    answer = trace_pushed(Store.of(workspace), version, workspace.is_open)
    if as_json:
        _print_json(plain_data.trace(answer))
    else:
        lineage_text.print_tree(lineage_text.trace(workspace.name, answer))


def _page(workspace: Workspace, version: int | None, path: pathlib.Path) -> None:
    from shortlist.lineage import page
    from shortlist.lineage.serving import serving_state
    from shortlist.lineage.store import Store
    from shortlist.lineage.trace import trace_pushed
    from shortlist.serving import versions

    store = Store.of(workspace)
    answer = trace_pushed(store, version, workspace.is_open)
    text = page.render(workspace.name, answer, serving_state(store, versions.served_version(workspace.serving_dir)))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError.from_reason(f"--html {path}", "a file that can be written", error.strerror) from None
    consoles.console().print(f"Page      {path.absolute()}")


def _impact(workspace: Workspace, data: str, as_json: bool) -> None:
    from cli.output import lineage as lineage_text
    from shortlist.lineage import as_json as plain_data
    from shortlist.lineage.impact import impact
    from shortlist.lineage.store import Store

    answer = impact(Store.of(workspace), data, workspace.is_open)
    if as_json:
        _print_json(plain_data.impact(answer))
    else:
        lineage_text.print_tree(lineage_text.impact(answer))


def _why(workspace: Workspace, run_id: str, invocation: Invocation, as_json: bool) -> None:
    from cli.output import lineage as lineage_text
    from shortlist.lineage import as_json as plain_data
    from shortlist.lineage.store import Store
    from shortlist.lineage.why import run_verdict
    from shortlist.serving import versions

    run_id = _run_id(workspace, run_id)
    answer = run_verdict(
        Store.of(workspace),
        run_id,
        workspace.is_open,
        _summary(workspace, run_id),
        # A run may end before its first execution in ML Metadata; its folder then proves that it began.
        has_folder=_ID.fullmatch(run_id) is not None and workspace.run_dir(run_id).is_dir(),
    )
    if as_json:
        _print_json(plain_data.verdict(answer))
    else:
        console = consoles.console()
        served = versions.served_version(workspace.serving_dir)
        lineage_text.print_verdict(answer, workspace.name, served, console)
        _print_next(answer, workspace, invocation, console)


def _print_next(answer: Verdict, workspace: Workspace, invocation: Invocation, console: Console) -> None:
    """Prints the log, and a command that may help next."""
    from cli.output import manual_pushes
    from cli.output.wrapping import print_command, print_labelled
    from shortlist.lineage.why import Outcome

    log = workspace.run_dir(answer.run_id) / "run.log"
    # `push --force` pushes only the latest run.
    latest = (workspace.runs_dir / "latest").resolve().name == answer.run_id
    if answer.outcome in (Outcome.NOT_BLESSED, Outcome.INDEX_REJECTED) and latest and not answer.forced_push:
        manual_pushes.print_forced_push(invocation, console)
    if answer.outcome in (Outcome.FAILED, Outcome.KILLED):
        if log.exists():
            print_labelled(console, "Log", str(log))
        print_labelled(console, "Next", "to continue after the finished nodes:")
        print_command(console, "", invocation.command("run"))


def _served(workspace: Workspace, as_json: bool) -> None:
    from cli.output import lineage as lineage_text
    from shortlist.lineage import as_json as plain_data
    from shortlist.lineage.serving import serving_state
    from shortlist.lineage.store import Store
    from shortlist.serving import versions

    answer = serving_state(Store.of(workspace), versions.served_version(workspace.serving_dir))
    if as_json:
        _print_json(plain_data.served(answer))
    else:
        lineage_text.print_tree(lineage_text.serving(workspace.name, answer))


def _run_id(workspace: Workspace, name: str) -> str:
    """Returns a run's id or a version; for `latest` the id of the newest run that ended."""
    if name == "latest":
        return (workspace.runs_dir / "latest").resolve().name
    return name


def _summary(workspace: Workspace, run_id: str) -> Summary | None:
    """Returns a run's summary; None if there is none, or if this version cannot read it."""
    from shortlist.summary import read_summary

    try:
        return read_summary(workspace.run_dir(run_id) / "summary.json")
    except (OSError, ValueError):
        return None


def _print_json(answer: object) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))
