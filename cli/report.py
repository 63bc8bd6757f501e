"""`shortlist report`: a run's report as a page or as text, or several runs side by side."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from shortlist.report.blocks import Page
    from shortlist.workspace import Workspace

_WIDTH = 120


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="With --compare: the runs, two or more.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Whose report; the newest run that ended unless given.")
    ] = "latest",
    compare: Annotated[bool, typer.Option("--compare", help="Put the named runs side by side.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Print it instead: all tables, no plots.")] = False,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="Where the page goes; beside the run's log unless given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make and show the report of a run: the verdict, what it stands on, what the model recommends, what it cost.

    Every run leaves one; this makes it anew from files and ML Metadata, also
    for runs that failed or were killed.

    Example: shortlist report --open
    Example: shortlist report --compare 20261124T144222Z latest
    """
    from shortlist.config.load import load_config
    from shortlist.workspace import Workspace

    if sum((open_, text, as_json)) > 1:
        raise BadInputError.from_parts("", "one of --open, --text and --json", "more")
    if output and (text or as_json):
        raise BadInputError("--output is where the page goes; leave out --text and --json")
    named = list(runs or [])
    if compare and len(named) < 2:
        raise BadInputError("--compare: expected two runs or more, as in `shortlist report --compare A B`")
    if named and not compare:
        raise BadInputError(f"got {named[0]!r}; name one run with --run, or compare several with --compare")
    workspace = Workspace.of(load_config(config))
    made, path, kept = _compared(workspace, named) if compare else _of_run(workspace, run)
    if text:
        _print_text(made)
    elif as_json:
        print(json.dumps(_plain(made), indent=2, ensure_ascii=False))
    else:
        if not kept or output:
            path = output or path
            _write(made, path)
        _show(made, path, kept and not output, open_)


def _of_run(workspace: Workspace, run_id: str) -> tuple[Page, pathlib.Path, bool]:
    """Returns the report, where it belongs, and whether the one that stands there knows more."""
    from shortlist.report import sections
    from shortlist.report.facts import read
    from shortlist.report.write import FILE

    facts = read(workspace, run_id)
    path = facts.record.folder / FILE
    return sections.run_page(facts), path, facts.pruned and path.exists()


def _compared(workspace: Workspace, run_ids: list[str]) -> tuple[Page, pathlib.Path, bool]:
    from shortlist.report.comparison import comparison_page
    from shortlist.report.facts import read

    facts = [read(workspace, run_id) for run_id in run_ids]
    name = "-".join(one.run_id for one in facts[:4])
    return comparison_page(facts), workspace.runs_dir / f"compared-{name}.html", False


def _write(made: Page, path: pathlib.Path) -> None:
    from shortlist.report import html
    from shortlist.report.write import write_page

    page = html.render(made)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_page(page, path)
    except OSError as error:
        raise BadInputError.from_reason(path, "a file that can be written", error.strerror) from None


def _show(made: Page, path: pathlib.Path, kept: bool, open_: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Report    {made.status}: {path.absolute()}", markup=False)
    if kept:
        console.print("          as the run left it: what it was made from was pruned since")
    if open_:
        import webbrowser

        if not webbrowser.open(path.absolute().as_uri()):
            raise BadInputError(
                "no browser was found here; open the file above in one, or see `shortlist report --text`"
            )


def _print_text(made: Page) -> None:
    from shortlist.report import text

    console = Console(highlight=False)
    # Tables need their columns, in a pipe too.
    text.write(made, Console(highlight=False, width=max(console.width, _WIDTH)))


def _plain(made: Page) -> object:
    from shortlist.report import as_json

    return as_json.report(made)
