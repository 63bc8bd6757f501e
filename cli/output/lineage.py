"""Lineage's answers as trees for a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from shortlist.lineage.diff import Diff
from shortlist.lineage.impact import Impact, TrainedModel
from shortlist.lineage.serving import FORCED, ROLLED_BACK, RUN, ServingState, VersionPush
from shortlist.lineage.stages import STAGES, stage
from shortlist.lineage.trace import Trace, TraceStep
from shortlist.lineage.why import Outcome, Verdict
from shortlist.sanitize import plain

_WIDTH = 100
_MOST_SHOWN = 10
_MOST_CUT_SHORT = 5
_HEADLINES = {
    Outcome.PUSHED: "[bold green]was pushed[/]",
    Outcome.NOT_BLESSED: "[bold yellow]was not pushed: the model was not blessed[/]",
    Outcome.INDEX_REJECTED: "[bold yellow]was not pushed: the index was rejected[/]",
    Outcome.CHECK_FAILED: "[bold yellow]was not pushed: the serving check failed[/]",
    Outcome.REFUSED: "[bold red]was not pushed: the data was refused[/]",
    Outcome.FAILED: "[bold red]was not pushed: it failed[/]",
    Outcome.KILLED: "[bold red]was not pushed: it was killed[/]",
    Outcome.RUNNING: "[bold]is running[/]",
}


def print_tree(tree: Tree) -> None:
    """Prints a tree; it wraps its lines, and 100 columns are what it is made for in a pipe or a narrow window."""
    console = Console(highlight=False)
    Console(highlight=False, width=max(console.width, _WIDTH)).print(tree)


def trace(name: str, answer: Trace) -> Tree:
    """Returns what made a pushed model, by the parts of the pipeline."""
    tree = Tree(f"[bold]{escape(plain(name))} version {answer.version}[/]")
    tree.add(escape(plain(answer.path)))
    for part in STAGES:
        steps = [step for step in answer.steps if stage(step.execution.node) == part]
        if steps:
            branch = tree.add(f"[bold cyan]{part}[/]")
            for step in steps:
                _add_step(branch, step)
    if answer.interrupted:
        branch = tree.add("[dim]not finished since[/]")
        # The latest first, as in the rest.
        for step in answer.interrupted[: -_MOST_CUT_SHORT - 1 : -1]:
            _add_step(branch, step, "dim")
        _add_more(branch, len(answer.interrupted) - _MOST_CUT_SHORT)
    return tree


def _add_step(tree: Tree, step: TraceStep, style: str = "bold") -> None:
    execution = step.execution
    # A rollback and a forced push belong to no run.
    by = f"run {execution.run_id}" if execution.run_id else "by hand"
    told = f"{_when(execution.started)} {execution.seconds:7.1f} s  {by}"
    branch = tree.add(f"[{style}]{escape(plain(f'{execution.node:<22}'))}[/] {escape(plain(told))}")
    _add_all(branch, step.facts)


def served(name: str, answer: ServingState) -> Tree:
    """Returns what is served and what was before, the latest first."""
    current = answer.current
    if answer.version is None:
        tree = Tree(f"[bold]{escape(plain(name))}[/]: nothing stands in the serving folder")
    elif current is None:
        tree = Tree(f"[bold]{escape(plain(name))}[/] serves version {answer.version}")
        tree.add("ML Metadata does not know it: its push was killed, or somebody copied it here")
    else:
        tree = Tree(
            f"[bold]{escape(plain(name))}[/] serves version [bold]{current.version}[/] since {_when(current.at)}"
        )
        _add_all(tree, [f"by `shortlist {current.command}`{_of_run(current)}", *_told(current), current.path])
    before = [push for push in answer.pushes if push is not current]
    if before:
        branch = tree.add("[bold cyan]before[/]")
        for push in before[:_MOST_SHOWN]:
            line = f"version {push.version}  {_when(push.at)}  by `shortlist {push.command}`{_of_run(push)}"
            _add_all(branch.add(escape(plain(line))), _told(push))
        _add_more(branch, len(before) - _MOST_SHOWN)
    return tree


def _of_run(push: VersionPush) -> str:
    return {RUN: f", run {push.run_id}", FORCED: f" of run {push.run_id}"}.get(push.command, "")


def _told(push: VersionPush) -> list[str]:
    found = []
    if push.command == ROLLED_BACK:
        found.append(f"a copy of version {push.copy_of}")
    if push.replaced is not None:
        found.append(f"replaced version {push.replaced}")
    found += [f"overrides {node}: {reason}" for node, reasons in push.overridden.items() for reason in reasons]
    if push.by:
        found.append(f"by {push.by}" + (f": {push.reason}" if push.reason else ""))
    return found


def verdict(answer: Verdict, hints: Sequence[str]) -> Tree:
    """Returns why a run's model was not pushed.

    Args:
      answer: The verdict.
      hints: What could be typed next.
    """
    headline = _HEADLINES[answer.outcome] + (f" as version {answer.version}" if answer.version is not None else "")
    tree = Tree(f"[bold]run {escape(plain(answer.run_id))}[/] {headline}")
    if answer.node and answer.outcome is not Outcome.PUSHED:
        ran = next((execution for execution in answer.executions if execution.node == answer.node), None)
        when = f"  {_when(ran.started)} {ran.seconds:7.1f} s" if ran else ""
        _add_all(tree.add(f"[bold]{escape(plain(answer.node))}[/]{when}"), answer.reasons)
    elif answer.outcome is not Outcome.PUSHED:
        _add_all(tree, answer.reasons)
    if answer.passed_gates:
        branch = tree.add("[bold cyan]passed before[/]")
        for node, said in answer.passed_gates:
            branch.add(escape(plain(f"{node}: {said}")))
    if answer.forced_push:
        line = f"since then: version {answer.forced_push.version}, {_when(answer.forced_push.at)}, by `shortlist {FORCED}`"
        _add_all(tree.add(escape(plain(line))), _told(answer.forced_push))
    _add_all(tree, hints)
    return tree


def impact(answer: Impact) -> Tree:
    """Returns what came of some data: models, the latest first, with their verdicts, indexes and pushes."""
    tree = Tree(f"[bold]what came of {escape(plain(answer.name))}[/]")
    data = tree.add("[bold cyan]data[/]")
    for source in answer.data:
        sha256 = f"  sha256 {source.sha256[:16]}" if source.sha256 else ""
        line = f"{source.node} of run {source.run_id}{sha256}" if source.node else source.artifact.type
        _add_all(data.add(escape(plain(f"artifact {source.artifact.id}  {line}"))), [source.artifact.uri])
    pushes = sum(len(model.pushes) for model in answer.models)
    indexes = sum(bool(model.index) for model in answer.models)
    tree.add(
        f"used by {answer.executions:,} nodes: {len(answer.models):,} models, {indexes:,} indexes, {pushes:,} pushes; "
        f"{len(answer.runs):,} runs got as far as a model, trained anew or from the cache"
    )
    if answer.models:
        branch = tree.add("[bold cyan]models[/]")
        for model in answer.models[:_MOST_SHOWN]:
            _add_model(branch, model)
        _add_more(branch, len(answer.models) - _MOST_SHOWN)
    if answer.interrupted:
        branch = tree.add("[dim]cut short[/]")
        for execution, end in answer.interrupted[:_MOST_CUT_SHORT]:
            line = f"{execution.node} of run {execution.run_id or 'by hand'}, {_when(execution.started)}: {end}"
            branch.add(f"[dim]{escape(plain(line))}[/]")
        _add_more(branch, len(answer.interrupted) - _MOST_CUT_SHORT)
    return tree


def diff(answer: Diff) -> Tree:
    """Returns what changed between two runs: what came out first, then what may explain it."""
    tree = Tree(f"[bold]{escape(plain(answer.before.name))} to {escape(plain(answer.after.name))}[/]")
    for side in (answer.before, answer.after):
        if side.name != side.run_id:
            tree.add(escape(plain(f"version {side.name} was evaluated in run {side.run_id}")))
    for section in answer.sections:
        if not section.changes:
            continue
        branch = tree.add(f"[bold cyan]{section.name}[/]")
        _add_all(branch, section.notes)
        for change in section.changes[:_MOST_SHOWN]:
            branch.add(f"[bold]{escape(plain(change.name))}[/]: {escape(plain(change.description))}")
        _add_more(branch, len(section.changes) - _MOST_SHOWN)
    if answer.same:
        tree.add(f"[dim]the same, or not known of both: {', '.join(answer.same)}[/]")
    return tree


def _add_model(tree: Tree, model: TrainedModel) -> None:
    line = f"artifact {model.artifact_id}, trained {_when(model.trained.started)}, seed {model.seed}"
    branch = tree.add(f"[bold]run {escape(plain(model.run_id))}[/]  {escape(plain(line))}")
    if model.blessed is None:
        branch.add("no verdict: it was never evaluated to the end")
    else:
        word = "blessed" if model.blessed else "not blessed"
        _add_all(branch, [f"{word}: {reason}" for reason in model.reasons] or [word])
    if model.index:
        said = "" if model.index_blessed is not False else ", rejected"
        branch.add(escape(plain(f"index {model.index.get('kind')}, recall {model.index.get('recall_at_k')}{said}")))
    for push in model.pushes:
        branch.add(escape(plain(f"version {push.version}, {_when(push.at)}, by `shortlist {push.command}`")))


def _add_all(tree: Tree, lines: Iterable[str]) -> None:
    for line in lines:
        tree.add(escape(plain(line)))


def _add_more(tree: Tree, count: int) -> None:
    if count > 0:
        tree.add(f"[dim]and {count:,} more; --json has all[/]")


def _when(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
