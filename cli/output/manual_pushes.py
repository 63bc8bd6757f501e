"""Says what is served where a person chose it, so that a run that comes from the cache does not seem to."""

from __future__ import annotations

import dataclasses
import pathlib

from rich.console import Console

from shortlist.serving import versions
from shortlist.summary import Summary
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ManualPush:
    """A served version that no run pushed."""

    version: int
    facts: str
    """What was done, by whom and why."""


def find_manual_push(workspace: Workspace) -> ManualPush | None:
    """Returns the served version if a rollback or a forced push put it there."""
    version = versions.served_version(workspace.serving_dir)
    if version is None or not workspace.has_metadata:
        return None
    from shortlist.lineage.store import Store
    from shortlist.lineage.trace import manual_push_facts

    facts = manual_push_facts(Store.of(workspace), version)
    return ManualPush(version, facts) if facts else None


def print_served(
    before: ManualPush | None, workspace: Workspace, summary: Summary, config_path: pathlib.Path, console: Console
) -> None:
    """Prints what is served if it is not what the run says that it pushed, or if the run replaced a person's choice."""
    now = find_manual_push(workspace)
    if now is not None:
        console.print(f"Served    version {now.version}: {now.facts}", markup=False, soft_wrap=True)
        pushed = summary.pushed.version if summary.pushed else None
        if pushed in versions.versions(workspace.serving_dir):
            back = f".venv/bin/shortlist rollback {pushed} --config {config_path}"
            console.print(f"          for what this run pushed: {back}", markup=False, soft_wrap=True)
    elif before is not None and summary.pushed is not None:
        console.print(
            f"Replaced  version {before.version}: {before.facts}; the push above is newer", markup=False, soft_wrap=True
        )
