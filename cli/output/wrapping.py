"""Lines of text for a terminal: wrapped between words with a hanging indent; words are never broken."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from shortlist.sanitize import plain

LABEL_WIDTH = 10
"""Columns of the label before a line of text."""


def wrap(text: str, width: int, first: int = 0, end: str = "") -> list[str]:
    """Returns the lines of a text, without indents.

    Args:
      text: Words between spaces. A word that is wider than a line gets a line of its own.
      width: Columns of a line.
      first: Columns that are taken in the first line beyond the indent.
      end: Text at the end of every line but the last.
    """
    lines: list[str] = []
    line, room = "", width - first
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if line and cell_len(joined) + cell_len(end) > room:
            lines.append(line + end)
            line, room = word, width
        else:
            line = joined
    return [*lines, line]


def print_labelled(console: Console, label: str, text: str, style: str = "") -> None:
    """Prints a label and a text beside it, whose further lines start below its first word.

    Args:
      console: Console for the output.
      label: One word; empty for a text that continues the one above.
      text: Text without markup.
      style: Style of the label.
    """
    _print(console, Text(f"{label:<{LABEL_WIDTH}}", style), wrap(plain(text), console.width - LABEL_WIDTH))


def print_command(console: Console, label: str, command: str) -> None:
    r"""Prints a label and a command for a shell; if it takes several lines, each but the last ends in a backslash."""
    # Two words in quotes may have a line break between them, which the backslash would change.
    lines = [plain(command)]
    if not any(quote in command for quote in "'\"\\"):
        lines = wrap(plain(command), console.width - LABEL_WIDTH, end=" \\")
    _print(console, Text(f"{label:<{LABEL_WIDTH}}"), lines)


def _print(console: Console, label: Text, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        # Lines are whole already: a long word must not be broken, so that a path can be copied.
        console.print(Text.assemble(label if not number else " " * len(label), line), soft_wrap=True)
