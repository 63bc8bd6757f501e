"""Parsers for timestamps: a cell becomes exact whole seconds since 1970 and the remaining nanoseconds.

Nanoseconds since 1970 fit no float64 exactly, so all arithmetic is in integers and fractions.
"""

from __future__ import annotations

import abc
import datetime
import fractions
from typing import Any

from shortlist.scalars import (
    MAX_EXACT_FLOAT,
    BadCell,
    formatted_seconds,
    iso_seconds,
    number_of,
    short_repr,
    text_of,
)
from shortlist.tables.spec import UNITS_WITH_PARTS, Unit
from shortlist.tables.time_formats import date_seconds
from shortlist.tables.timestamps import (
    FORMAT_KEY,
    KEY,
    PER_SECOND,
    is_iso,
    unit_of_number,
)

NANOS = 10**9

_EPOCH = datetime.datetime(1970, 1, 1)
_MAX_ORDER = 2**63 - 1
_DROP = "correct the row, or drop it with data.interactions.filter"


def clock(unit: Unit, earliest: int, latest: int, is_time_column: bool, time_format: str | None = None) -> Clock:
    """Returns the parser for a column.

    Args:
      unit: Unit of the cells.
      earliest: Earliest valid time, in seconds since 1970.
      latest: Latest valid time, in seconds since 1970.
      is_time_column: The file itself declares a time column. Its cells are exact seconds (`int` or `Fraction`) in any
        unit.
      time_format: Format of the cells for `datetime.strptime`; it replaces the unit.
    """
    if is_time_column:
        return _FileTimes(unit, earliest, latest)
    if time_format is not None:
        return _FormattedTimes(time_format, earliest, latest)
    if unit == "dates":
        return _CalendarDates(unit, earliest, latest)
    if unit == "order":
        return _OrderNumbers()
    if unit == "iso8601":
        return _Dates(unit, earliest, latest)
    return _Numbers(unit, earliest, latest)


class Clock(abc.ABC):
    """Parser for the cells of one column.

    It caches the last cell, because each row needs both its seconds and its nanoseconds.
    """

    def __init__(self) -> None:
        self._cell: Any = self
        self._instant = (0, 0)

    def seconds(self, cell: Any) -> list[int]:
        """Returns the whole seconds since 1970, or the order number, as a list of one value.

        Raises:
          BadCell: The cell is not a time, or the time is outside of the valid range.
        """
        self._instant = self._read(cell)
        self._cell = cell
        return [self._instant[0]]

    def nanos(self, cell: Any) -> list[int]:
        """Returns the nanoseconds after the whole second, 0 to 999,999,999, as a list of one value.

        Raises:
          BadCell: The cell is not a time, or the time is outside of the valid range.
        """
        if cell is not self._cell:
            self.seconds(cell)
        return [self._instant[1]]

    @abc.abstractmethod
    def _read(self, cell: Any) -> tuple[int, int]:
        """Returns the seconds and the nanoseconds of a cell."""


class _OrderNumbers(Clock):
    """Whole numbers that increase with time."""

    def _read(self, cell: Any) -> tuple[int, int]:
        number = number_of(cell)
        if number is None:
            raise _blank(cell, self._expected)
        if isinstance(number, bool) or (isinstance(number, float) and abs(number) > MAX_EXACT_FLOAT):
            raise BadCell(self._expected, short_repr(cell), "write order numbers as integers")
        if not 0 <= number <= _MAX_ORDER:
            remedy = "use smaller order numbers"
            if number < 0:
                remedy = "drop the row or shift the order numbers"
            raise BadCell(self._expected, short_repr(cell), remedy)
        if number != int(number):
            raise BadCell(self._expected, short_repr(cell), "write order numbers without decimals")
        return int(number), 0

    @property
    def _expected(self) -> str:
        return f"a whole order number, 0 or more ({KEY}: order)"


class _Times(Clock):
    """Base of the parsers for times, with the check of their range."""

    per_second = 1

    def __init__(self, unit: Unit, earliest: int, latest: int):
        super().__init__()
        self._unit = unit
        self._earliest = earliest
        self._lowest = max(earliest, 0) * self.per_second
        self._highest = latest * self.per_second

    def _read(self, cell: Any) -> tuple[int, int]:
        number = self._exact(cell)
        if number is None:
            raise _blank(cell, self._expected)
        if not self._lowest <= number <= self._highest:
            raise self._out_of_range(cell, number)
        if isinstance(number, int):
            seconds, rest = divmod(number, self.per_second)
            return seconds, rest * (NANOS // self.per_second)
        return self._in_parts(cell, fractions.Fraction(number) * (NANOS // self.per_second))

    @abc.abstractmethod
    def _exact(self, cell: Any) -> Any:
        """Returns the cell as an exact number in its unit; None if it is blank."""

    @property
    def _expected(self) -> str:
        return f"{self._noun} from {_day(self._earliest)} until tomorrow"

    @property
    def _noun(self) -> str:
        return f"a time in {self._unit} since 1970"

    def _in_parts(self, cell: Any, nanos: fractions.Fraction) -> tuple[int, int]:
        if nanos.denominator != 1:
            raise BadCell(self._expected, f"{short_repr(cell)}, finer than a nanosecond", "round it down")
        seconds, rest = divmod(nanos.numerator, NANOS)
        if rest and self._unit not in UNITS_WITH_PARTS:
            remedy = "round times down to whole seconds, or write them in milliseconds"
            raise BadCell(self._expected, f"fractions of a second, {short_repr(cell)}", remedy)
        return seconds, rest

    def _out_of_range(self, cell: Any, number: Any) -> BadCell:
        if number < 0:
            return self._bad(cell, ", a negative time")
        if number > self._highest:
            return self._bad(cell, ", which is in the future")
        day = _day(int(number / self.per_second))
        return self._bad(cell, f", {day}", f"{_DROP}, or lower data.interactions.earliest")

    def _bad(self, cell: Any, addition: str = "", remedy: str = _DROP) -> BadCell:
        return BadCell(self._expected, self._text(cell) + addition, remedy)

    def _text(self, cell: Any) -> str:
        """Returns a cell for an error message."""
        return short_repr(cell)

    def _misread(self, cell: Any, looks_like: str, unit: Unit) -> BadCell:
        return BadCell(
            self._expected,
            f"{short_repr(cell)}, which looks like {looks_like}, but {KEY} is {self._unit}",
            f"write all rows in one unit, or set {KEY}: {unit} if all rows have it",
        )


class _Numbers(_Times):
    """Seconds, milliseconds, microseconds or nanoseconds."""

    def __init__(self, unit: Unit, earliest: int, latest: int):
        self.per_second = PER_SECOND[unit]
        super().__init__(unit, earliest, latest)

    def _exact(self, cell: Any) -> Any:
        try:
            number = number_of(cell)
        except BadCell:
            if is_iso(cell):
                raise self._misread(cell, "ISO 8601", "iso8601") from None
            raise self._bad(cell) from None
        if isinstance(number, bool):
            raise self._bad(cell)
        if isinstance(number, float) and MAX_EXACT_FLOAT < number <= self._highest:
            raise BadCell(self._expected, f"the float {cell!r}", "a float has already lost digits: write integers")
        return number

    def _out_of_range(self, cell: Any, number: Any) -> BadCell:
        unit = unit_of_number(number)
        if unit is None or unit == self._unit:
            return super()._out_of_range(cell, number)
        return self._misread(cell, unit, unit)


class _Dates(_Times):
    """ISO 8601 texts such as 2011-12-09 12:50."""

    def _exact(self, cell: Any) -> Any:
        try:
            return iso_seconds(text_of(cell) or "")
        except BadCell:
            pass
        try:
            number = number_of(cell)
        except BadCell:
            raise self._bad(cell) from None
        if number is None:
            return None
        unit = unit_of_number(number)
        if unit:
            raise self._misread(cell, unit, unit)
        raise self._bad(cell)

    @property
    def _noun(self) -> str:
        return "an ISO 8601 time"


class _FormattedTimes(_Times):
    """Texts in a format of the config, such as 12/1/2010 8:26; UTC if they have no zone."""

    def __init__(self, time_format: str, earliest: int, latest: int):
        super().__init__("iso8601", earliest, latest)
        self._format = time_format

    def _exact(self, cell: Any) -> Any:
        try:
            text = (text_of(cell) or "").strip()
            return formatted_seconds(text, self._format) if text else None
        except BadCell:
            raise self._bad(cell, remedy=f"correct the row, or {FORMAT_KEY}") from None

    @property
    def _noun(self) -> str:
        return f"a time in the format {self._format!r}"


class _CalendarDates(_Times):
    """Eight digits, such as 20231114: midnight in UTC."""

    def _exact(self, cell: Any) -> Any:
        try:
            text = (text_of(cell) or "").strip()
            return date_seconds(text) if text else None
        except BadCell:
            raise self._bad(cell, remedy=f"correct the row, or set {KEY}: order if these are numbers") from None

    @property
    def _noun(self) -> str:
        return "a date of eight digits, such as 20231114,"


class _FileTimes(_Times):
    """Exact seconds from a Parquet column of times or dates."""

    def _exact(self, cell: Any) -> Any:
        return cell

    @property
    def _noun(self) -> str:
        return "a time"

    def _in_parts(self, cell: Any, nanos: fractions.Fraction) -> tuple[int, int]:
        seconds, rest = divmod(nanos.numerator, NANOS)
        if rest and self._unit not in UNITS_WITH_PARTS:
            raise BadCell(f"whole {self._unit}", f"fractions of a second, {self._text(cell)}", f"set {KEY}: auto")
        return seconds, rest

    def _text(self, cell: Any) -> str:
        try:
            return (_EPOCH + datetime.timedelta(seconds=float(cell))).isoformat(sep=" ")
        except OverflowError:
            return f"a time {float(cell):g} seconds from 1970"


def _blank(cell: Any, expected: str) -> BadCell:
    return BadCell(expected, "null" if cell is None else "a blank", "fill it in or drop the row")


def _day(seconds: int) -> str:
    return (_EPOCH + datetime.timedelta(seconds=seconds)).date().isoformat()
