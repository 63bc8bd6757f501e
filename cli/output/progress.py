"""Shows a run as it goes: a line a node, and where there is a terminal bars over nodes and over what a node counts."""

from __future__ import annotations

import contextlib
import time
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shortlist.process import progress


class Result(Protocol):
    """How one node went."""

    @property
    def node_id(self) -> str:
        """Its name."""

    @property
    def seconds(self) -> float:
        """That it took."""

    @property
    def cached(self) -> bool:
        """Whether it came from the cache."""


# Steps of a small model take milliseconds; nobody sees more of them.
_SECONDS_BETWEEN = 0.1


class ProgressListener:
    """Prints one line a finished node; on a terminal also a bar over all nodes, and one within the node that runs.

    Args:
      console: Where to print.
      unit: What a node is called.
    """

    def __init__(self, console: Console, unit: str = "node"):
        self._console = console
        self._unit = unit
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[counted]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._nodes = self._bar.add_task("starting", total=None, counted="")
        self._within = self._bar.add_task("", total=None, counted="", visible=False)
        self._cached: list[str] = []
        self._shown = 0.0
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> ProgressListener:
        if self._console.is_terminal:
            self._exit.enter_context(progress.listening(self._show))
        self._exit.callback(self._bar.stop)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush_cached()
        self._exit.close()

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Moves the bar."""
        progress.restart()
        self._bar.update(
            self._nodes,
            description=node_id,
            completed=index - 1,
            total=total,
            counted=f"{self._unit} {index} of {total}",
        )
        self._bar.reset(self._within, visible=False, description="", counted="", total=None)

    def node_finished(self, result: Result) -> None:
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

    def _show(self, told: progress.Progress) -> None:
        """Moves the bar within a node, a few times a second."""
        now = time.monotonic()
        if now - self._shown < _SECONDS_BETWEEN and told.done != told.total:
            return
        self._shown = now
        of = f" of {told.total:,}" if told.total is not None else ""
        self._bar.update(
            self._within,
            description=f"  {escape(told.note)}" if told.note else "",
            completed=told.done,
            total=told.total,
            counted=f"{told.done:,}{of} {told.unit}",
            visible=True,
        )

    def _flush_cached(self) -> None:
        if self._cached:
            names = ", ".join(self._cached)
            self._console.print(f"  [cyan]cached[/]  {len(self._cached)} {self._unit}s: {names}", soft_wrap=True)
            self._cached = []
