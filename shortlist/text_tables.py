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
    widths = _fitting(columns, cells, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for index, width in widths.items():
        column = columns[index]
        table.add_column(
            Text(plain(column.title)),
            justify="right" if column.right else "left",
            # rich would narrow the widest column first, even if that breaks its words.
            width=width,
            no_wrap=not column.wraps,
            overflow="fold",
            style=column.style or None,
        )
    for row in cells:
        table.add_row(*(row[index] for index in widths))
    console.print(table)


def _fitting(columns: Sequence[TextColumn], rows: Sequence[Sequence[Text]], width: int) -> dict[int, int]:
    """Returns the columns to print with their widths: at least their longest words, at most their longest cells."""
    texts = [[column.title, *(row[index].plain for row in rows)] for index, column in enumerate(columns)]
    most = [max(map(cell_len, cells)) for cells in texts]
    least = list(most)
    for index, column in enumerate(columns):
        if column.wraps:
            least[index] = _longest_word(texts[index])
    chosen = list(range(len(columns)))

    def spare() -> int:
        return width + _GAP - sum(least[index] + _GAP for index in chosen)

    while spare() < 0:
        # Of equal numbers, the last column goes first.
        victim = max(chosen, key=lambda index: (columns[index].drop, index))
        if not columns[victim].drop:
            break
        chosen.remove(victim)
    left = max(spare(), 0)
    widths = {}
    # Those that need the least get it, the others share the rest.
    for number, index in enumerate(sorted(chosen, key=lambda index: most[index] - least[index])):
        extra = min(most[index] - least[index], left // (len(chosen) - number))
        widths[index], left = least[index] + extra, left - extra
    return {index: widths[index] for index in chosen}


def _longest_word(cells: Sequence[str]) -> int:
    return max((cell_len(word) for cell in cells for word in cell.split()), default=0)
