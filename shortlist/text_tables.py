"""Tables of a terminal: where the columns do not fit, whole columns are left out before a cell is broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shortlist.sanitize import plain

_GAP = 2


@dataclasses.dataclass(frozen=True)
class TextColumn:
    """One column of a table."""

    title: str
    right: bool = True
    """Whether cells are aligned to the right, as numbers are."""
    wraps: bool = False
    """Whether cells may be wrapped between words."""
    drop: int = 0
    """Columns with the greatest number are left out first; 0 keeps a column."""
    style: str = ""


def print_table(console: Console, columns: Sequence[TextColumn], rows: Sequence[Sequence[str | Text]]) -> None:
    """Prints a table without lines that fits the console, if necessary without some columns.

    Args:
      console: Console for the output.
      columns: The columns, in order.
      rows: A cell per column; strings are made plain.
    """
    cells = [[cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row] for row in rows]
    chosen = _fitting(columns, cells, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for index in chosen:
        column = columns[index]
        table.add_column(
            Text(plain(column.title)),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            overflow="fold",
            style=column.style or None,
        )
    for row in cells:
        table.add_row(*(row[index] for index in chosen))
    console.print(table)


def _fitting(columns: Sequence[TextColumn], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """Returns the indices of the columns to print."""
    chosen = list(range(len(columns)))
    least = [_least_width(column, [row[index].plain for row in rows]) for index, column in enumerate(columns)]
    while sum(least[index] + _GAP for index in chosen) - _GAP > width:
        # Of equal numbers, the last column goes first.
        victim = max(chosen, key=lambda index: (columns[index].drop, index))
        if not columns[victim].drop:
            break
        chosen.remove(victim)
    return chosen


def _least_width(column: TextColumn, cells: Sequence[str]) -> int:
    texts = [column.title, *cells]
    if column.wraps:
        texts = [word for text in texts for word in text.split()]
    return max(map(cell_len, texts), default=0)
