"""Lineage as trees for a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from cli.folders import shortened
from cli.output import consoles, verdict
from cli.output.wrapping import print_labelled
from shortlist.lineage.diff.sections import Diff
from shortlist.lineage.impact import Impact, TrainedModel
from shortlist.lineage.serving import FORCED, ROLLED_BACK, RUN, ServingState, VersionPush
from shortlist.lineage.stages import STAGES, stage
from shortlist.lineage.trace import Trace, TraceStep
from shortlist.lineage.why import Outcome, Verdict
from shortlist.records import nodes
from shortlist.sanitize import plain

_MOST_SHOWN = 10
_MOST_INTERRUPTED = 5


def print_tree(tree: Tree) -> None:
    """Prints a tree; lines that are longer than the terminal is wide are wrapped."""
    consoles.console().print(tree, markup=True)


def trace(name: str, answer: Trace) -> Tree:
    """Returns the origin of a pushed model, by stages of the pipeline."""
    pushing = next((step.execution.run_id for step in answer.steps if step.execution.node == nodes.PUSHER), "")
    origin = f" of run {pushing}" if pushing else ""
    tree = Tree(f"[bold]{escape(plain(f'{name} version {answer.version}'))}[/]{escape(plain(origin))}")
    tree.add(_text(answer.path))
    for part in STAGES:
        steps = [step for step in answer.steps if stage(step.execution.node) == part]
        if steps:
            branch = tree.add(f"[bold cyan]{part}[/]")
            for step in steps:
                _add_step(branch, step, pushing)
    if answer.interrupted:
        branch = tree.add("[dim]unfinished steps since[/]")
        # Oldest first in the list: reversed, since the other lists show the latest first.
        for step in answer.interrupted[: -_MOST_INTERRUPTED - 1 : -1]:
            _add_step(branch, step, "", "dim")
        _add_more(branch, len(answer.interrupted) - _MOST_INTERRUPTED)
    return tree


def _add_step(tree: Tree, step: TraceStep, run_id: str, style: str = "bold") -> None:
    """Adds a step; `run_id` is the run that is named above, which is not repeated."""
    execution = step.execution
    details = f"{_when(execution.started)} {execution.seconds:7.1f} s"
    branch = tree.add(f"[{style}]{escape(plain(f'{execution.node:<22}'))}[/] {escape(plain(details))}")
    if not execution.run_id:
        # A rollback and a forced push belong to no run.
        branch.add("by hand")
    elif execution.run_id != run_id:
        branch.add(_text(f"run {execution.run_id}"))
    _add_all(branch, step.facts)


def serving(name: str, answer: ServingState) -> Tree:
    """Returns the served version and the versions before it, the latest first."""
    current = answer.current
    if answer.version is None:
        tree = Tree(f"[bold]{escape(plain(name))}[/]: the serving folder is empty")
    elif current is None:
        tree = Tree(f"[bold]{escape(plain(name))}[/] serves version {answer.version}")
        tree.add("ML Metadata has no record of it: its push was killed, or the folder was copied here")
    else:
        tree = Tree(
            f"[bold]{escape(plain(name))}[/] serves version [bold]{current.version}[/] since {_when(current.at)}"
        )
        _add_all(tree, [f"by `shortlist {current.command}`{_run_suffix(current)}", *_push_facts(current), current.path])
    before = [push for push in answer.pushes if push is not current]
    if before:
        branch = tree.add("[bold cyan]before[/]")
        for push in before[:_MOST_SHOWN]:
            line = f"version {push.version}  {_when(push.at)}  by `shortlist {push.command}`{_run_suffix(push)}"
            _add_all(branch.add(escape(plain(line))), _push_facts(push))
        _add_more(branch, len(before) - _MOST_SHOWN)
    return tree


def _run_suffix(push: VersionPush) -> str:
    return {RUN: f", run {push.run_id}", FORCED: f" of run {push.run_id}"}.get(push.command, "")


def _push_facts(push: VersionPush) -> list[str]:
    facts = []
    if push.command == ROLLED_BACK:
        facts.append(f"a copy of version {push.copy_of}")
    if push.replaced is not None:
        facts.append(f"replaced version {push.replaced}")
    facts += [f"overrides {node}: {reason}" for node, reasons in push.overridden.items() for reason in reasons]
    if push.by:
        facts.append(": ".join(filter(None, [f"by {push.by}", push.reason])))
    return facts


def print_verdict(answer: Verdict, name: str, served: int | None, console: Console) -> None:
    """Prints the verdict on a run's model: the gates, the node that ended the run, and a later forced push.

    Args:
      answer: The verdict.
      name: The pipeline's name.
      served: The version in the serving folder; None if it is empty.
      console: Console for the output.
    """
    print_labelled(console, "Run", f"{answer.run_id} of {name}")
    verdict.print_verdict(answer.headline(served), answer.gates, console)
    decisive = next((execution for execution in answer.executions if execution.node == answer.node), None)
    if decisive is not None and answer.outcome is not Outcome.PUSHED:
        print_labelled(console, "Node", f"{answer.node}, {_when(decisive.started)}, {decisive.seconds:.1f} s")
    if answer.outcome in (Outcome.FAILED, Outcome.KILLED, Outcome.RUNNING):
        for reason in answer.reasons:
            print_labelled(console, "Reason", reason)
    if answer.forced_push:
        push = answer.forced_push
        print_labelled(console, "Since", f"version {push.version}, {_when(push.at)}, by `shortlist {FORCED}`")
        for fact in _push_facts(push):
            print_labelled(console, "", fact)


def impact(answer: Impact) -> Tree:
    """Returns the models made from some data, the latest first, with their verdicts, indexes and pushes."""
    tree = Tree(f"[bold]impact of {escape(plain(answer.name))}[/]")
    data = tree.add("[bold cyan]data[/]")
    for source in answer.data:
        line = source.artifact.type
        if source.node:
            line = f"{source.node} of run {source.run_id}"
            if source.sha256:
                line += f"  sha256 {source.sha256[:16]}"
        _add_all(data.add(escape(plain(f"artifact {source.artifact.id}  {line}"))), [source.artifact.uri])
    pushes = sum(len(model.pushes) for model in answer.models)
    indexes = sum(bool(model.index) for model in answer.models)
    tree.add(
        f"used by {_count(answer.executions, 'node')}: {_count(len(answer.models), 'model')}, "
        f"{_count(indexes, 'index', 'indexes')}, {_count(pushes, 'push', 'pushes')}; "
        f"{_count(len(answer.runs), 'run')} reached a model, newly trained or from the cache"
    )
    if answer.models:
        branch = tree.add("[bold cyan]models[/]")
        for model in answer.models[:_MOST_SHOWN]:
            _add_model(branch, model)
        _add_more(branch, len(answer.models) - _MOST_SHOWN)
    if answer.interrupted:
        branch = tree.add("[dim]interrupted[/]")
        for execution, end in answer.interrupted[:_MOST_INTERRUPTED]:
            line = f"{execution.node} of run {execution.run_id or 'by hand'}, {_when(execution.started)}: {end}"
            branch.add(f"[dim]{escape(plain(line))}[/]")
        _add_more(branch, len(answer.interrupted) - _MOST_INTERRUPTED)
    return tree


def diff(answer: Diff) -> Tree:
    """Returns the differences between two runs: results first, then possible causes."""
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
        tree.add(f"[dim]equal, or not known for both: {', '.join(answer.same)}[/]")
    return tree


def _add_model(tree: Tree, model: TrainedModel) -> None:
    line = f"artifact {model.artifact_id}, trained {_when(model.trained.started)}, seed {model.seed}"
    branch = tree.add(f"[bold]run {escape(plain(model.run_id))}[/]  {escape(plain(line))}")
    if model.blessed is None:
        branch.add("no verdict: no evaluation finished")
    else:
        word = "blessed" if model.blessed else "not blessed"
        _add_all(branch, [f"{word}: {reason}" for reason in model.reasons] or [word])
    if model.index:
        index = model.index
        line = f"index {index.get('kind')}, recall@{index.get('k')} {index.get('recall_at_k', 0):.4f}"
        if model.index_blessed is False:
            line += ", rejected"
        branch.add(escape(plain(line)))
    for push in model.pushes:
        branch.add(escape(plain(f"version {push.version}, {_when(push.at)}, by `shortlist {push.command}`")))


def _add_all(tree: Tree, lines: Iterable[str]) -> None:
    for line in lines:
        tree.add(_text(line))


def _text(line: str) -> str:
    """Returns a line with paths relative to the user's folder."""
    return escape(shortened(plain(line)))


def _add_more(tree: Tree, count: int) -> None:
    if count > 0:
        tree.add(f"[dim]and {count:,} more; --json has all[/]")


def _when(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
