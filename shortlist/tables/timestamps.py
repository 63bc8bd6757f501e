"""Detection of a time column's unit from its first cells."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from shortlist.scalars import BadCell, iso_seconds, number_of, short_repr, text_of
from shortlist.tables import time_formats
from shortlist.tables.spec import Unit

KEY = "data.interactions.timestamp_unit"
FORMAT_KEY = "data.interactions.timestamp_format"
PER_SECOND: dict[Unit, int] = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}

_1990 = 631_152_000
_DAY_SECONDS = 86_400
# Smaller numbers are before 1990 in every unit, so they can only be order numbers.
_MAX_ORDER = 10**8
_READABLE = "times as numbers or like 2011-12-09 12:50"


def latest_allowed() -> int:
    """Returns the latest valid time in seconds since 1970: a day from now, to allow for wrong clocks."""
    return int(time.time()) + _DAY_SECONDS


def detect(cells: Iterable[Any], is_time_column: bool) -> Unit:
    """Returns the unit of a column.

    Parquet's own time columns are `iso8601`, because they need no unit. Texts like 2011-12-09 12:50 are `iso8601`, too.
    For numbers, the median decides: its unit is the one that makes it a time between 1990 and tomorrow. If no unit
    does, small whole numbers are order numbers. If every cell is a date of eight digits between 1990 and tomorrow, such
    as 20231114, they are `dates`.

    Args:
      cells: Cells of the first rows after the table's filter; blank cells are ignored.
      is_time_column: Whether the file itself declares the column as times.

    Raises:
      BadCell: The cells have no unit, or an ambiguous one.
    """
    if is_time_column:
        return "iso8601"
    numbers: list[Any] = []
    dates: list[Any] = []
    others: list[Any] = []
    for cell in cells:
        try:
            number = number_of(cell)
        except BadCell:
            cells_of_kind = dates if is_iso(cell) else others
            cells_of_kind.append(cell)
        else:
            if number is not None:
                numbers.append(number)
    if len(others) > max(len(numbers), len(dates)):
        raise _unreadable(others)
    if not numbers and not dates:
        raise BadCell(_READABLE, "only blanks in the first rows", "name another column in data.interactions.timestamp")
    if len(dates) > len(numbers):
        return "iso8601"
    if not dates and not others and all(map(_is_date, numbers)):
        return "dates"
    # The median, because a few corrupt times must not decide.
    return _unit_of(sorted(numbers)[len(numbers) // 2])


def unit_of_number(number: Any) -> Unit | None:
    """Returns the unit that makes a number a time between 1990 and tomorrow, or None; no two units do."""
    latest = latest_allowed()
    units = (unit for unit, per_second in PER_SECOND.items() if _1990 * per_second <= number <= latest * per_second)
    return next(units, None)


def is_iso(cell: Any) -> bool:
    """Returns whether a cell is an ISO 8601 text."""
    try:
        return isinstance(cell, str | bytes) and iso_seconds(text_of(cell) or "") is not None
    except BadCell:
        return False


def _is_date(number: Any) -> bool:
    try:
        return _1990 <= time_formats.date_seconds(text_of(number) or "") <= latest_allowed()
    except BadCell:
        return False


def _unit_of(median: Any) -> Unit:
    unit = unit_of_number(median)
    if unit is not None:
        return unit
    if abs(median) < _MAX_ORDER and median == int(median):
        return "order"
    raise BadCell(
        "numbers that are times after 1990 in one of seconds, milliseconds, microseconds and nanoseconds, "
        "or small whole order numbers",
        f"{text_of(median)} in the middle of the first rows",
        f"set {KEY}",
    )


def _unreadable(cells: Sequence[Any]) -> BadCell:
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    formats = time_formats.matching(texts)
    if len(formats) == 1:
        return BadCell(_READABLE, short_repr(texts[0]), f'set {FORMAT_KEY}: "{formats[0]}"')
    if formats:
        got = f"{short_repr(texts[0])}, in which the order of day and month is ambiguous"
        return BadCell(_READABLE, got, f"set {FORMAT_KEY} to " + " or ".join(f'"{format_}"' for format_ in formats))
    remedy = f"set {FORMAT_KEY}, or name another column in data.interactions.timestamp"
    return BadCell(_READABLE, short_repr(cells[0]), remedy)
