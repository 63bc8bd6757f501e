"""Lines of text for a terminal: wrapped between words with a hanging indent; words are never broken."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from shortlist.sanitize import plain

LABEL_WIDTH = 10
"""Columns of the label before a line of text."""

# A label and the blanks after it, or the blanks of a line that continues the one above.
_LABEL = re.compile(r"[^\s:]+(?: [^\s:]+)?(?:: +| {2,})| +")
_LONGEST_LABEL = 16


def wrap(text: str, width: int, end: str = "") -> list[str]:
    """Returns the lines of a text, without indents.

    Args:
      text: Words between spaces. A word that is wider than a line gets a line of its own.
      width: Columns of a line.
      end: Text at the end of every line but the last.
    """
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if line and cell_len(joined) + cell_len(end) > width:
            lines.append(line + end)
            line = word
        else:
            line = joined
    return [*lines, line]


def hanging(text: str, width: int, end: str = "") -> list[str]:
    """Returns the lines of a text; all but the first start below the first word after its label."""
    label = _LABEL.match(text)
    indent = label.end() if label and (text[0] == " " or label.end() <= _LONGEST_LABEL) else 0
    first, *others = wrap(text[indent:], width - indent, end)
    return [text[:indent] + first, *(" " * indent + line for line in others)]


def print_labelled(console: Console, label: str, text: str) -> None:
    """Prints a label and a text beside it.

    Args:
      console: A console of `consoles.console`, which wraps strings.
      label: One word; empty for a text that continues the one above.
      text: Text without markup.
    """
    console.print(f"{label:<{LABEL_WIDTH}}{plain(text)}")


def print_command(console: Console, label: str, command: str) -> None:
    r"""Prints a label and a command for a shell; if it takes several lines, each but the last ends in a backslash."""
    line = f"{label:<{LABEL_WIDTH}}{plain(command)}"
    # Two words in quotes may have a line break between them, which the backslash would change.
    quoted = any(quote in command for quote in "'\"\\")
    for part in [line] if quoted else hanging(line, console.width, end=" \\"):
        # A `Text` is printed as it is.
        console.print(Text(part), soft_wrap=True)
