"""Consoles on which a string is never markup: ids, titles and paths may contain brackets.

A string is also made plain, without control characters and credentials, and is wrapped between words with a hanging
indent.
"""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.status import Status
from rich.text import Text

from cli.output.wrapping import hanging
from shortlist.sanitize import plain, plain_lines

PIPE_WIDTH = 1000
"""Columns of a pipe or a file, where a program or an editor wraps lines; rich assumes 80."""


class _Console(Console):
    """A console that makes strings plain, also those in tables, trees and status lines; not the text of a `Text`."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain_lines(text), **options)

    def print(self, *objects: Any, markup: bool | None = None, **options: Any) -> None:
        if len(objects) == 1 and isinstance(objects[0], str) and not markup:
            lines = plain_lines(objects[0]).split("\n")
            text = "\n".join(part for line in lines for part in hanging(line, self.width))
            # A word that is longer than a line, such as a path, stays whole.
            return super().print(Text(text), **{**options, "soft_wrap": True})
        return super().print(*objects, markup=markup, **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        # rich would read a string as markup here, whatever the console's own setting.
        return _Status(Text(plain(status)) if isinstance(status, str) else status, console=self, **options)


class _Status(Status):
    """A status line that leaves the streams alone.

    rich would send `sys.stdout` and `sys.stderr` to the terminal, past the log file that the descriptors point to.
    """

    def __init__(self, status: RenderableType, *, console: Console, **options: Any):
        super().__init__(status, console=console, **options)
        self._live = Live(
            self.renderable,
            console=console,
            refresh_per_second=12.5,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )


def console(**options: Any) -> Console:
    """Returns a console, on stdout by default. For styles, print `rich.text.Text` or give `markup=True`.

    Its width is that of the terminal. With the environment variable NO_COLOR, it prints no styles at all.

    Args:
      **options: Options of `rich.console.Console`.
    """
    if os.environ.get("NO_COLOR"):
        options["color_system"] = None
    made = _Console(highlight=False, markup=False, **options)
    if not made.is_terminal and "width" not in options and "COLUMNS" not in os.environ:
        made.width = PIPE_WIDTH
    return made


def warn(on: Console, sentence: str) -> None:
    """Prints a warning; control characters are replaced, since the sentence may quote data."""
    print_marked(on, Text("Warning: ", "yellow"), plain(sentence))


def print_marked(on: Console, mark: Text, sentence: str) -> None:
    """Prints a styled mark and a sentence, whose further lines start below its first word."""
    first, *others = hanging(" " * mark.cell_len + sentence, on.width)
    on.print(Text.assemble(mark, first[mark.cell_len :]), soft_wrap=True)
    for line in others:
        on.print(Text(line), soft_wrap=True)
