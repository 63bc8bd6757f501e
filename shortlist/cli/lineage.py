"""`shortlist lineage`: what made the pushed model?"""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from shortlist.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from shortlist.cli.plain import plain

if TYPE_CHECKING:
    from shortlist.lineage.store import Execution
    from shortlist.lineage.trace import Step, Trace

_WIDTH = 100


def lineage(
    config: ConfigOption = DEFAULT_CONFIG,
    version: Annotated[int | None, typer.Option(help="A pushed version; the newest unless given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what made a pushed model, from the push back to the data files.

    Example: shortlist lineage --config configs/movielens_100k.yaml
    """
    from shortlist.config import load_config
    from shortlist.lineage.store import Store
    from shortlist.lineage.trace import trace_pushed
    from shortlist.workspace import Workspace

    checked = load_config(config)
    workspace = Workspace(pathlib.Path(checked.workspace).absolute(), checked.name)
    trace = trace_pushed(Store(workspace.metadata_path), version, workspace.is_open)
    if as_json:
        print(json.dumps(_as_dict(trace), indent=2))
    else:
        console = Console(highlight=False)
        # A tree wraps its lines; in a pipe or a narrow window 100 columns are what it is made for.
        Console(highlight=False, width=max(console.width, _WIDTH)).print(_as_tree(checked.name, trace))


def _as_tree(name: str, trace: Trace) -> Tree:
    tree = Tree(f"[bold]{name} version {trace.version}[/]  {trace.path}")
    for step in trace.steps:
        execution = step.execution
        # A rollback and a forced push belong to no run.
        by = f"run {execution.run_id}" if execution.run_id else "by hand"
        branch = tree.add(f"[bold]{execution.node:<24}[/] {_when(execution)} {execution.seconds:7.1f} s  {by}")
        for fact in step.facts:
            branch.add(escape(plain(fact)))
    for step in trace.cut_short:
        branch = tree.add(f"[dim]{step.execution.node:<24} {_when(step.execution)}  run {step.execution.run_id}[/]")
        for fact in step.facts:
            branch.add(f"[dim]{escape(plain(fact))}[/]")
    return tree


def _when(execution: Execution) -> str:
    return execution.started.strftime("%Y-%m-%d %H:%M:%S UTC")


def _as_dict(trace: Trace) -> dict[str, object]:
    return {
        "version": trace.version,
        "path": trace.path,
        "steps": [_step_as_dict(step) for step in trace.steps],
        "cut_short": [_step_as_dict(step) for step in trace.cut_short],
    }


def _step_as_dict(step: Step) -> dict[str, object]:
    return {
        "node": step.execution.node,
        "run_id": step.execution.run_id,
        "started": step.execution.started.isoformat(),
        "seconds": step.execution.seconds,
        "facts": step.facts,
    }
