"""A part of a text file that begins and ends at a row."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """A part of a text file.

    Attributes:
      start: Offset of the first byte.
      stop: Offset of the byte after the last one.
      first_row: Number of the first row, from 0; the header is no row.
      first_line: Number of lines before the part.
    """

    start: int
    stop: int
    first_row: int
    first_line: int

    @property
    def bounds(self) -> tuple[int, int, int]:
        """The part for `TextLines`."""
        return self.start, self.stop, self.first_line
