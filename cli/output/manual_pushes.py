"""Notices about versions that a person chooses: the served one, and a rejected one that could be pushed.

Without the first, the page of a cached run would suggest that the run's own version is served.
"""

from __future__ import annotations

import dataclasses

from rich.console import Console

from cli.invocation import Invocation
from cli.output.wrapping import print_command, print_labelled
from shortlist.serving import versions
from shortlist.summary import Summary
from shortlist.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class ManualPush:
    """A served version from a rollback or a forced push."""

    version: int
    facts: str
    """Command, user and reason."""


def find_manual_push(workspace: Workspace) -> ManualPush | None:
    """Returns the served version if it comes from a rollback or a forced push, else None."""
    version = versions.served_version(workspace.serving_dir)
    if version is None or not workspace.has_metadata:
        return None
    # Imported late: ML Metadata is not needed before the first push.
    from shortlist.lineage.store import Store
    from shortlist.lineage.trace import manual_push_facts

    facts = manual_push_facts(Store.of(workspace), version)
    if not facts:
        return None
    return ManualPush(version, facts)


def print_served(
    before: ManualPush | None, workspace: Workspace, summary: Summary, invocation: Invocation, console: Console
) -> None:
    """Prints the served version if a person chose it, or the person's version that the run replaced.

    Args:
      before: The served version before the run, if it was a person's choice.
      workspace: The pipeline's workspace.
      summary: The run's summary.
      invocation: The config, for the command to type next.
      console: Console for the output.
    """
    now = find_manual_push(workspace)
    if now is not None:
        console.print(f"Served    version {now.version}: {now.facts}")
        pushed = summary.pushed.version if summary.pushed else None
        if pushed in versions.versions(workspace.serving_dir):
            back = invocation.command("rollback", str(pushed))
            console.print("          to serve this run's version:")
            print_command(console, "", back)
    elif before is not None and summary.pushed is not None:
        console.print(f"Replaced  version {before.version}: {before.facts}; the push above is newer")


def print_forced_push(invocation: Invocation, console: Console) -> None:
    """Prints the command that pushes the latest run's model although a gate rejected it.

    Args:
      invocation: The config, for the command.
      console: Console for the output.
    """
    print_labelled(console, "Next", "after a remedy above, run again; to push this model nevertheless:")
    print_command(console, "", invocation.command("push", "--force", "--reason", "TEXT"))
