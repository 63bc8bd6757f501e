"""Finds which unit a time column has, from its first cells."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from shortlist.scalars import BadCell, iso_seconds, number_of, shown, text_of
from shortlist.tables.spec import Unit

KEY = "data.interactions.timestamp_unit"
PER_SECOND: dict[Unit, int] = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}

_1990 = 631_152_000
_DAY_SECONDS = 86_400
# Order numbers below this are times after 1990 in no unit.
_MAX_ORDER = 10**8
_DAY_AND_MONTH = re.compile(r"\d{1,2}([/.-])\d{1,2}\1\d{2,4}(\s.*)?", re.DOTALL)
_READABLE = "times as numbers or like 2011-12-09 12:50"


def latest_allowed() -> int:
    """Returns the last second since 1970 that a log may name: a day ahead, for clocks that go wrong."""
    return int(time.time()) + _DAY_SECONDS


def detect(cells: Iterable[Any], is_time_column: bool) -> Unit:
    """Returns the unit of a column.

    A time column of Parquet is `iso8601`: its times are exact and say all by themselves. Texts like 2011-12-09 12:50
    are too. Of numbers, the median decides: the unit in which it is a time between 1990 and tomorrow; else small whole
    numbers are order numbers.

    Args:
      cells: Of the first rows that the table's filter keeps; blank ones are not looked at.
      is_time_column: The file itself says that they are times.

    Raises:
      BadCell: They can be read in no way, or in several.
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
            (dates if is_iso(cell) else others).append(cell)
        else:
            numbers += [] if number is None else [number]
    if len(others) > max(len(numbers), len(dates)):
        raise _unreadable(others[0])
    if not numbers and not dates:
        raise BadCell(_READABLE, "blanks alone in the first rows", "name another column in data.interactions.timestamp")
    return "iso8601" if len(dates) > len(numbers) else _unit_of(sorted(numbers)[len(numbers) // 2])


def unit_of_number(number: Any) -> Unit | None:
    """Returns the unit in which a number is a time between 1990 and tomorrow; there is one at most."""
    latest = latest_allowed()
    fitting = (unit for unit, per_second in PER_SECOND.items() if _1990 * per_second <= number <= latest * per_second)
    return next(fitting, None)


def is_iso(cell: Any) -> bool:
    """Returns whether a cell is text that ISO 8601 allows."""
    try:
        return isinstance(cell, str | bytes) and iso_seconds(text_of(cell) or "") is not None
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


def _unreadable(cell: Any) -> BadCell:
    if isinstance(cell, str) and _DAY_AND_MONTH.fullmatch(cell.strip()):
        return BadCell(
            _READABLE,
            f"{shown(cell)}, in which day and month may be either way round",
            'write the year first, e.g. with pandas: pd.to_datetime(column, format="%m/%d/%Y %H:%M")',
        )
    return BadCell(_READABLE, shown(cell), "write times so, or name another column in data.interactions.timestamp")
