"""Fields of delimited text: records of strings, by any delimiter."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from shortlist.scalars import BadCell, iso_seconds, number_of
from shortlist.tables.text_lines import MAX_LINE_BYTES

BLANKS = " "
"""The delimiter that stands for any run of blanks and tabs."""

_DELIMITERS = ("::", "\t", ";", "|", ",")

# A limit for the whole process: Python's csv module has none per reader.
csv.field_size_limit(MAX_LINE_BYTES)


class Records(Protocol):
    """Iterator over records; a blank line is an empty record."""

    @property
    def line_num(self) -> int:
        """Number of lines read so far."""

    def __iter__(self) -> Iterator[list[str]]:
        """Yields the fields of each record."""

    def __next__(self) -> list[str]:
        """Returns the fields of the next record."""


def records(lines: Iterable[str], delimiter: str) -> Records:
    """Returns the records of lines.

    With a delimiter of one character, fields may be quoted as in RFC 4180, also over several lines. Longer delimiters
    know no quotes.

    Args:
      lines: Lines with their ends.
      delimiter: Characters between fields; `BLANKS` for any run of blanks.
    """
    if delimiter == BLANKS:
        # Blanks after a delimiter are skipped, also at the start of a line, but not before its end.
        trimmed = (line.expandtabs(1).rstrip() + "\n" for line in lines)
        return csv.reader(trimmed, strict=True, delimiter=BLANKS, skipinitialspace=True)
    if len(delimiter) == 1:
        return csv.reader(lines, strict=True, delimiter=delimiter)
    return _SplitRecords(lines, delimiter)


def other_delimiter(line: str, delimiter: str) -> str | None:
    """Returns the delimiter that a line has instead of `delimiter`, or None.

    It is the one that occurs most often among `::`, tab, `;`, `|` and comma.
    """
    counts = {other: line.count(other) for other in _DELIMITERS if other != delimiter}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


def looks_like_data(names: Sequence[str]) -> bool:
    """Returns whether a header has a field that no column is named by: a number or a time."""
    return any(map(_is_value, names))


def _is_value(name: str) -> bool:
    for read in (number_of, iso_seconds):
        try:
            return read(name) is not None
        except BadCell:
            continue
    return False


class _SplitRecords:
    """Records without quotes, by a delimiter of several characters."""

    def __init__(self, lines: Iterable[str], delimiter: str):
        self._lines = iter(lines)
        self._delimiter = delimiter
        self.line_num = 0

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines).rstrip("\r\n")
        self.line_num += 1
        return line.split(self._delimiter) if line else []
