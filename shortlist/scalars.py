"""Conversion of one table cell to text, to a number, or to a time.

A CSV cell is a string. A JSON Lines cell has one of JSON's types. A Parquet cell is a string, bytes, bool, int, float,
Decimal, list, `Fraction` (a time with fractions of a second) or None.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
import re
from typing import Any

from shortlist.quoting import short_repr as short_repr

# Whole numbers up to here are exact in a double. Beyond it, two different ids may have the same value.
MAX_EXACT_FLOAT = 2**53

# No two parts can match the same digits: the time is linear.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# A limit, since 1e999999999 is 11 characters of JSON, but its digits would fill the memory.
_MAX_DIGITS = 1000
_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:(?<=:\d{2}:\d{2})[.,](?P<part>\d{1,9}))?"
    r" ?(?P<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
# Shorter strings of ASCII digits skip the regular expression: most ids and times are such strings.
_FAST_DIGITS = 20


class BadCell(Exception):
    """A cell with a value that its column's type does not allow."""

    def __init__(self, expected: str, got: str, remedy: str):
        super().__init__(expected, got, remedy)
        self.expected = expected
        self.got = got
        self.remedy = remedy


def text_of(cell: Any) -> str | None:
    """Returns the exact text of a cell; None if it is null. A whole number never ends in `.0`.

    Raises:
      BadCell: The cell has bytes that are not UTF-8, a list, an object, or a number of over 1,000 digits.
    """
    if isinstance(cell, str) or cell is None:
        return cell
    # Before numbers, since a bool is an int.
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, bytes):
        try:
            return cell.decode("utf-8")
        except UnicodeDecodeError:
            raise BadCell("UTF-8 text", short_repr(cell), "write the column as UTF-8 strings") from None
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if is_exact_whole(cell) else repr(cell)
    if isinstance(cell, decimal.Decimal):
        if not cell.is_finite():
            return None
        _check_size(cell)
        return str(int(cell)) if cell == cell.to_integral_value() else format(cell, "f")
    if isinstance(cell, list | dict):
        raise BadCell("one value", _kind(cell), "name a column that has one value per row")
    return str(cell)


def number_of(cell: Any) -> Any:
    """Returns a cell as an exact number: int, float, Decimal or Fraction; None if it is blank or NaN.

    Raises:
      BadCell: The cell has text that is not a number, a list, an object, or a number of over 1,000 digits.
    """
    # isascii, since isdigit also accepts digits of other scripts.
    if type(cell) is str and len(cell) < _FAST_DIGITS and cell.isascii() and cell.isdigit():
        return int(cell)
    if isinstance(cell, str | bytes):
        text = (text_of(cell) or "").strip()
        if not text:
            return None
        if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
            raise BadCell("a number", short_repr(cell), "correct the cell, or compare it with a text in quotes")
        return decimal.Decimal(text)
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, decimal.Decimal):
        if not cell.is_finite():
            return None
        _check_size(cell)
    if isinstance(cell, list | dict):
        raise BadCell("a number", _kind(cell), "name a column that has one value per row")
    return cell


def with_point(cell: Any) -> Any:
    """Returns a cell whose text is a number with a decimal comma, with a point instead; other cells as they are.

    Raises:
      BadCell: The text is a number with a decimal point.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
        return text.replace(",", ".", 1)
    if "." in text and _NUMBER.fullmatch(text):
        raise BadCell("a number with a decimal comma", short_repr(cell), "correct the cell, or the table's `decimal`")
    return cell


def has_decimal_comma(cell: Any) -> bool:
    """Returns whether a cell's text is a number with a decimal comma."""
    return isinstance(cell, str) and "," in cell and _NUMBER.fullmatch(cell.strip().replace(",", ".", 1)) is not None


def iso_seconds(text: str) -> fractions.Fraction | int:
    """Returns the exact seconds since 1970 of an ISO 8601 date or time, in UTC if it names no zone.

    Raises:
      BadCell: The text is not an ISO 8601 date or time.
    """
    match = _ISO.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        clock = match["time"] or "00:00"
        moment = datetime.datetime.fromisoformat(f"{match['date']}T{clock}{_zone(match['zone'])}")
    except ValueError:
        raise BadCell("an ISO 8601 date or time", short_repr(text), "write times like 2011-12-09T12:50:00Z") from None
    seconds = (moment - _EPOCH) // datetime.timedelta(seconds=1)
    part = match["part"]
    if not part or not int(part):
        return seconds
    return seconds + fractions.Fraction(int(part), 10 ** len(part))


def formatted_seconds(text: str, time_format: str) -> fractions.Fraction | int:
    """Returns the exact seconds since 1970 of a time, in UTC if it has no zone.

    Args:
      text: The time, without blanks around it.
      time_format: A format for `datetime.strptime`.

    Raises:
      BadCell: The text is not in this format.
    """
    try:
        moment = datetime.datetime.strptime(text, time_format)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        microseconds = (moment - _EPOCH) // datetime.timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise BadCell(f"a time in the format {time_format!r}", short_repr(text), "correct the cell") from None
    if microseconds % 10**6 == 0:
        return microseconds // 10**6
    return fractions.Fraction(microseconds, 10**6)


def is_exact_whole(cell: float) -> bool:
    """Returns whether a float is a whole number that no other whole number rounds to."""
    return cell.is_integer() and abs(cell) <= MAX_EXACT_FLOAT


def _check_size(number: decimal.Decimal) -> None:
    if abs(number.adjusted()) > _MAX_DIGITS or len(number.as_tuple().digits) > _MAX_DIGITS:
        raise BadCell(f"a number of at most {_MAX_DIGITS:,} digits", short_repr(number), "correct the cell")


def _kind(cell: list[Any] | dict[Any, Any]) -> str:
    kind = "a list" if isinstance(cell, list) else "an object"
    return f"{kind}, {short_repr(cell)}"


def _zone(zone: str | None) -> str:
    if zone is None or zone in ("Z", "UTC"):
        return "+00:00"
    digits = zone[1:].replace(":", "")
    return f"{zone[0]}{digits[:2]}:{digits[2:] or '00'}"
