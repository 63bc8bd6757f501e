"""Shows a run as it goes: a line a node, and a bar where there is a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from pipeline.local_runner import NodeResult


class ProgressListener:
    """Prints one line a finished node; on a terminal also a bar over all nodes.

    Args:
      console: Where to print.
    """

    def __init__(self, console: Console):
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._cached: list[str] = []
        self._start = time.monotonic()

    def __enter__(self) -> ProgressListener:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush_cached()
        self._bar.stop()

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Moves the bar."""
        self._bar.update(self._task, description=node_id, completed=index - 1, total=total)

    def node_finished(self, result: NodeResult) -> None:
        """Prints the node's line; nodes from the cache share one."""
        if result.cached:
            self._cached.append(result.node_id)
            return
        self._flush_cached()
        self._console.print(f"  [green]done[/]    {result.node_id:<24}{result.seconds:7.1f} s")

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Prints the node's line."""
        self._flush_cached()
        self._console.print(f"  [red]failed[/]  {node_id:<24}{seconds:7.1f} s")

    def _flush_cached(self) -> None:
        if self._cached:
            names = ", ".join(self._cached)
            self._console.print(f"  [cyan]cached[/]  {len(self._cached)} nodes: {names}", soft_wrap=True)
            self._cached = []
