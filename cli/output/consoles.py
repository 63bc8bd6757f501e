"""Consoles on which a string is never markup: ids, titles and paths may contain brackets.

A string is also made plain: without control characters and without credentials.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType
from rich.status import Status
from rich.text import Text

from shortlist.sanitize import plain, plain_lines

WIDTH = 100
"""Columns that tables and trees get at least; rich assumes 80 for a pipe, which would cut them off."""


class _Console(Console):
    """A console that makes strings plain, also those in tables, trees and status lines; not the text of a `Text`."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain_lines(text), **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        # rich would read a string as markup here, whatever the console's own setting.
        return super().status(Text(plain(status)) if isinstance(status, str) else status, **options)


def console(**options: Any) -> Console:
    """Returns a console, on stdout by default. For styles, print `rich.text.Text` or give `markup=True`.

    Args:
      **options: Options of `rich.console.Console`.
    """
    return _Console(highlight=False, markup=False, **options)


def wide(least: int = WIDTH) -> Console:
    """Returns a console on stdout with at least `least` columns, also in a pipe or a narrow window."""
    return console(width=max(Console().width, least, WIDTH))


def warn(on: Console, sentence: str) -> None:
    """Prints a warning; control characters are replaced, since the sentence may quote data."""
    on.print(Text("Warning:", "yellow"), plain(sentence), markup=False, soft_wrap=True)
