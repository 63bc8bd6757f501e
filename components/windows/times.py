"""Detection of timestamps that lie far from all others.

A corrupted timestamp can make its row the newest, and thus the test target. The
middle 99.8% are all timestamps without the `num_rows // 1000` first and last ones,
at most 100,000 each, so that one worker can hold them. With fewer than 1,000 rows, no timestamp is isolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# Rows at each end that do not count as the middle: one in 1,000.
ONE_IN = 1_000

MAX_TAIL_ROWS = 100_000
"""Most rows that are cut off at each end: those of a log of 100 million rows."""


class RowLocation(NamedTuple):
    """A row's timestamp, file and row number; locations compare by timestamp."""

    timestamp: int
    source_path: bytes
    source_row: int


class IsolatedTimes(NamedTuple):
    """Rows whose distance from the middle 99.8% of timestamps is greater than the length of that middle.

    Attributes:
      number: The number of isolated rows.
      middle_from: First timestamp of the middle.
      middle_to: Last timestamp of the middle.
      example: The row that is furthest outside.
    """

    number: int
    middle_from: int
    middle_to: int
    example: RowLocation

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON object; the path is decoded to text."""
        timestamp, path, row = self.example
        return {**self._asdict(), "example": [timestamp, path.decode(errors="replace"), row]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> IsolatedTimes:
        """Returns the rows that `to_json` encoded."""
        timestamp, path, row = value["example"]
        return cls(**{**value, "example": RowLocation(timestamp, path.encode(), row)})


def tail_size(num_rows: int) -> int:
    """Returns the number of first and of last rows that `find_isolated` needs."""
    return min(num_rows // ONE_IN, MAX_TAIL_ROWS) + 1


def find_isolated(first: Sequence[RowLocation], last: Sequence[RowLocation]) -> IsolatedTimes | None:
    """Returns the isolated rows; None if there are none.

    Args:
      first: The `tail_size` first locations of all rows, sorted.
      last: The `tail_size` last locations of all rows, sorted.
    """
    low, high = first[-1].timestamp, last[0].timestamp
    length = high - low
    early = [row for row in first if low - row.timestamp > length]
    late = [row for row in last if row.timestamp - high > length]
    if not early and not late:
        return None
    ends: Iterable[RowLocation] = (*early[:1], *late[-1:])
    furthest = max(ends, key=lambda row: max(low - row.timestamp, row.timestamp - high))
    return IsolatedTimes(len(early) + len(late), low, high, furthest)
