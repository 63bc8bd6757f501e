"""`shortlist runs`: list and comparison of a workspace's runs, and deletion of old artifacts."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.conventions import SuggestingGroup
from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, OwnConfigOption, SetOption, is_for_subcommand
from cli.output import consoles
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from shortlist.runs.prune import PrunePlan
    from shortlist.workspace import Workspace

app = typer.Typer(cls=SuggestingGroup, invoke_without_command=True, rich_markup_mode="rich")


@app.callback()
def runs(
    context: typer.Context,
    config: ConfigOption = None,
    set_: SetOption = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only runs with this status: pushed, not_blessed, killed ...; may be repeated."),
    ] = None,
    since: Annotated[str, typer.Option(metavar="WHEN", help="Only runs since 2026-11-01, or the last 7d or 12h.")] = "",
    where: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only runs with this setting: train.seed=2.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of runs shown, the latest ones.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the runs of a workspace with their results, the latest first.

    Example: shortlist runs --status not_blessed --since 7d --where train.seed=2
    """
    if is_for_subcommand(context):
        return
    from cli.output import runs as runs_text
    from shortlist.runs import as_json as plain_data
    from shortlist.runs import filters
    from shortlist.runs.record import records

    statuses, settings = filters.read_statuses(status or []), filters.read_where(where or [])
    start = None
    if since:
        start = filters.read_since(since, datetime.datetime.now(datetime.timezone.utc))
    workspace = Invocation.of(config, set_).workspace()
    selected_runs = filters.matching(records(workspace), statuses, start, settings)
    if as_json:
        _print_json([plain_data.run(record) for record in selected_runs[:limit]])
    else:
        runs_text.print_list(workspace.name, selected_runs, limit)


@app.command("compare")
def compare(
    run_ids: Annotated[list[str], typer.Argument(metavar="RUN...", help="Two runs or more; `latest` is the newest.")],
    config: ConfigOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare runs: their results, metrics, and the settings that differ.

    Example: shortlist runs compare 20261124T144222Z latest
    """
    from cli.output import runs as runs_text
    from shortlist.runs import as_json as plain_data
    from shortlist.runs.record import find, records

    if len(run_ids) < 2:
        raise BadInputError.from_parts("", "two runs or more to compare", "one", "`shortlist runs` lists them")
    workspace = Invocation.of(config, set_).workspace()
    selected_runs = find(records(workspace), run_ids)
    if as_json:
        _print_json([plain_data.run(record) for record in selected_runs])
    else:
        runs_text.print_comparison(workspace.name, selected_runs)


@app.command("prune")
def prune(
    config: OwnConfigOption = None,
    set_: SetOption = None,
    keep: Annotated[int, typer.Option(min=1, max=1_000_000, help="Keep everything of so many latest runs.")] = 10,
    older_than: Annotated[
        str, typer.Option(metavar="WHEN", help="Also keep all runs since 2026-11-01, or of the last 30d.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, only list the artifacts.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the artifacts, as without --yes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete old artifacts, except those in the lineage of served and kept versions.

    Records, summaries, logs, statistics and verdicts stay, so that `lineage` and
    `runs` still work. A new run on old data makes deleted artifacts again.

    Example: shortlist runs prune --keep 10 --older-than 30d
    """
    if yes and dry_run:
        raise BadInputError.from_parts("", "--yes or --dry-run", "both")
    workspace = Invocation.of_own_pipeline(config, set_).workspace()
    if not yes:
        _print_plan(workspace.name, _plan(workspace, keep, older_than), as_json, [])
        return
    from shortlist.lineage.journal import Journal

    with workspace.reserve("runs prune", must_exist=True):
        journal = Journal(workspace)
        # Executions of killed commands are RUNNING for ever otherwise; their artifacts could not be pruned.
        journal.close_abandoned()
        plan = _plan(workspace, keep, older_than)
        failures = journal.delete(plan.artifacts)
    _print_plan(workspace.name, plan, as_json, failures, deleted=True)


def _plan(workspace: Workspace, keep: int, older_than: str) -> PrunePlan:
    from shortlist.lineage.store import Store
    from shortlist.runs import filters
    from shortlist.runs.prune import plan
    from shortlist.runs.record import records
    from shortlist.serving import versions

    all_records = records(workspace)
    kept_records = all_records[:keep]
    if older_than:
        start = filters.read_since(older_than, datetime.datetime.now(datetime.timezone.utc))
        kept_records += filters.matching(all_records[keep:], [], start, [])
    run_ids = [record.run_id for record in kept_records]
    return plan(Store.of(workspace), workspace.pipeline_root, versions.versions(workspace.serving_dir), run_ids)


def _print_plan(name: str, plan: PrunePlan, as_json: bool, failures: list[str], deleted: bool = False) -> None:
    from cli.output import runs as runs_text
    from shortlist.runs import as_json as plain_data

    if as_json:
        _print_json(plain_data.plan(plan, failures, deleted))
    else:
        runs_text.print_plan(name, plan, failures, deleted, consoles.console())


def _print_json(answer: object) -> None:
    print(json.dumps(answer, indent=2, ensure_ascii=False))
