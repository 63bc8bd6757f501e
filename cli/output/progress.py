"""Progress of a run on the console: one line per finished node, and two bars on a terminal or a line per minute."""

from __future__ import annotations

import contextlib
import time
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from cli.output import consoles
from shortlist.process import progress
from shortlist.process.progress_lines import ProgressLines
from shortlist.sanitize import plain


class Result(Protocol):
    """The result of one node."""

    @property
    def node_id(self) -> str:
        """The node's name."""

    @property
    def seconds(self) -> float:
        """The node's duration."""

    @property
    def cached(self) -> bool:
        """Whether the result came from the cache."""


# Training steps of a small model take milliseconds: more updates would cost time and would not be visible.
_SECONDS_BETWEEN = 0.1


_BAR_FROM = 100


class ProgressListener:
    """Prints one line per finished node.

    On a terminal, also shows a bar over all nodes and one within a node. Elsewhere, prints a line per minute.

    Args:
      console: Console for the output.
      unit: The word for a node.
    """

    def __init__(self, console: Console, unit: str = "node"):
        self._console = console
        self._unit = unit
        # On a narrow terminal the numbers need the room of the bar.
        bar = [BarColumn(bar_width=28)] if console.width >= _BAR_FROM else []
        self._bar = Progress(
            SpinnerColumn(),
            # Words of a narrow terminal's line go to a second one before numbers lose digits.
            TextColumn("{task.description}", table_column=Column(no_wrap=False)),
            *bar,
            TextColumn("{task.fields[counted]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # rich would send libraries' output to the terminal, past the log file.
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._nodes = self._bar.add_task("starting", total=None, counted="")
        self._within = self._bar.add_task("", total=None, counted="", visible=False)
        self._lines = ProgressLines(self._print_running)
        self._cached: list[str] = []
        self._running = ""
        self._last_update = 0.0
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> ProgressListener:
        if not self._console.is_terminal:
            self._exit.enter_context(self._lines.ticking())
        listener = self._show if self._console.is_terminal else self._lines
        self._exit.enter_context(progress.listening(listener))
        self._exit.callback(self._bar.stop)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush_cached()
        self._exit.close()

    def node_started(self, node_id: str, index: int, total: int) -> None:
        """Advances the bar over the nodes."""
        progress.restart()
        self._running = node_id
        self._lines.restart()
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
        # A fully cached run has about 20 such nodes: a line each would push the results off the screen.
        if result.cached:
            self._cached.append(result.node_id)
            return
        self._flush_cached()
        self._console.print(f"  [green]done[/]    {result.node_id:<24}{result.seconds:7.1f} s", markup=True)

    def node_failed(self, node_id: str, seconds: float) -> None:
        """Prints the node's line."""
        self._flush_cached()
        self._console.print(f"  [red]failed[/]  {node_id:<24}{seconds:7.1f} s", markup=True)

    def _show(self, report: progress.Progress) -> None:
        """Advances the bar within a node, ten times per second at most."""
        now = time.monotonic()
        if now - self._last_update < _SECONDS_BETWEEN and report.done != report.total:
            return
        self._last_update = now
        count = f"{report.done:,}"
        if report.total is not None:
            count += f" of {report.total:,}"
        self._bar.update(
            self._within,
            description=f"  {escape(plain(report.note))}".rstrip(),
            completed=report.done,
            total=report.total,
            counted=f"{count} {report.unit}",
            visible=True,
        )

    def _print_running(self, line: str) -> None:
        self._flush_cached()
        self._console.print(
            f"  [cyan]running[/] {escape(self._running)}: {escape(plain(line))}", markup=True, soft_wrap=True
        )

    def _flush_cached(self) -> None:
        if self._cached:
            names, count = ", ".join(self._cached), len(self._cached)
            mark = Text.assemble("  ", ("cached", "cyan"), "  ")
            consoles.print_marked(self._console, mark, f"{count} {self._unit}{'s' * (count > 1)}: {names}")
            self._cached = []
