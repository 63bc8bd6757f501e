"""`shortlist report`: the report of a run as a page or as text, or a comparison of runs."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from cli.folders import relative
from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption
from cli.output import consoles
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from shortlist.report.blocks import Page
    from shortlist.workspace import Workspace


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN...]", help="With --compare: the runs, two or more.")
    ] = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    run: Annotated[
        str, typer.Option(metavar="RUN", help="The run to report; by default the newest one that ended.")
    ] = "latest",
    compare: Annotated[bool, typer.Option("--compare", help="Compare the named runs.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Print the tables instead, without plots.")] = False,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="File for the page; by default beside the run's log."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a run: verdict, metrics, recommendations, data, time and memory.

    Every run writes its own report. This command writes it again from files and
    ML Metadata, also for runs that failed or were killed.

    Example: shortlist report --open
    Example: shortlist report --compare 20261124T144222Z latest
    """
    if sum((open_, text, as_json)) > 1:
        raise BadInputError.from_parts("", "one of --open, --text and --json", "more")
    if output and (text or as_json):
        raise BadInputError("--output is the file for the page; leave out --text and --json")
    named = list(runs or [])
    if compare and len(named) < 2:
        raise BadInputError("--compare: expected two runs or more, as in `shortlist report --compare A B`")
    if named and not compare:
        raise BadInputError(f"got {named[0]!r}; name one run with --run, or compare several with --compare")
    # Loading the config may enter another folder.
    output = output and output.absolute()
    workspace = Invocation.of(config, set_).workspace()
    page, path, keep_file = _comparison(workspace, named) if compare else _run_report(workspace, run)
    if text:
        _print_text(page)
    elif as_json:
        print(json.dumps(_plain(page), indent=2, ensure_ascii=False))
    elif output or not keep_file:
        path = output or path
        _write(page, path)
        _show(page, path, open_)
    else:
        _show(page, path, open_, note="as the run wrote it, since some of its artifacts were pruned")


def _run_report(workspace: Workspace, run_id: str) -> tuple[Page, pathlib.Path, bool]:
    """Returns the report, its path, and whether to keep the existing file, since artifacts were pruned after it."""
    from shortlist.report import sections
    from shortlist.report.facts import read
    from shortlist.report.write import FILE

    facts = read(workspace, run_id)
    path = facts.record.folder / FILE
    return sections.run_page(facts), path, facts.pruned and path.exists()


def _comparison(workspace: Workspace, run_ids: list[str]) -> tuple[Page, pathlib.Path, bool]:
    """Returns the comparison, its path, and False: it never keeps an existing file."""
    from shortlist.report.comparison import comparison_page
    from shortlist.report.facts import read

    facts = [read(workspace, run_id) for run_id in run_ids]
    # Four ids at most, as file systems limit the length of names.
    name = "-".join(run_facts.run_id for run_facts in facts[:4])
    return comparison_page(facts), workspace.runs_dir / f"compared-{name}.html", False


def _write(page: Page, path: pathlib.Path) -> None:
    from shortlist.report import html
    from shortlist.report.write import write_page

    text = html.render(page)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_page(text, path)
    except OSError as error:
        remedy = "give another file with --output, or use --text"
        raise BadInputError.from_reason(path, "a file that can be written", error.strerror, remedy) from None


def _show(page: Page, path: pathlib.Path, open_: bool, note: str = "") -> None:
    console = consoles.console()
    console.print(f"Report    {page.title}, {page.status}: {relative(path.absolute())}")
    if note:
        console.print(f"          {note}")
    if open_:
        import webbrowser

        if not webbrowser.open(path.absolute().as_uri()):
            raise BadInputError(
                "there is no browser here; open the file in one elsewhere, or use `shortlist report --text`"
            )


def _print_text(page: Page) -> None:
    from shortlist.report import text

    text.write(page, consoles.console())


def _plain(page: Page) -> object:
    from shortlist.report import as_json

    return as_json.report(page)
