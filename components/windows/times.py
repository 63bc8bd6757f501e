"""Times that lie far from all others: a corrupted one makes its row the newest, and with that the test target.

The middle 99.8% of all times is what is left without the `num_rows // 1000` first
and last ones, so that among fewer than 1,000 rows nothing is isolated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

ONE_IN = 1_000


class RowLocation(NamedTuple):
    """A row's time and where it stands; places compare by time."""

    timestamp: int
    source_path: bytes
    source_row: int


class Isolated(NamedTuple):
    """Rows whose time lies further outside the middle than the middle is long.

    Attributes:
      number: How many there are.
      middle_from: First time of the middle.
      middle_to: Last time of the middle.
      example: The one that is furthest outside.
    """

    number: int
    middle_from: int
    middle_to: int
    example: RowLocation

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON, a path's bytes as text."""
        timestamp, path, row = self.example
        return {**self._asdict(), "example": [timestamp, path.decode(errors="replace"), row]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Isolated:
        """Returns what `to_json` was called on."""
        timestamp, path, row = value["example"]
        return cls(**{**value, "example": RowLocation(timestamp, path.encode(), row)})


def tail_size(num_rows: int) -> int:
    """Returns how many of the first and of the last rows `isolated` needs."""
    return num_rows // ONE_IN + 1


def isolated(first: Sequence[RowLocation], last: Sequence[RowLocation]) -> Isolated | None:
    """Returns the isolated rows, None where there are none.

    Args:
      first: The `tail_size` first places of all rows, sorted.
      last: The `tail_size` last ones, sorted.
    """
    low, high = first[-1].timestamp, last[0].timestamp
    length = high - low
    early = [place for place in first if low - place.timestamp > length]
    late = [place for place in last if place.timestamp - high > length]
    if not early and not late:
        return None
    ends: Iterable[RowLocation] = (*early[:1], *late[-1:])
    furthest = max(ends, key=lambda place: max(low - place.timestamp, place.timestamp - high))
    return Isolated(len(early) + len(late), low, high, furthest)
