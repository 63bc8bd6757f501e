"""The time of a request: read from the command line, chosen by default, and described."""

from __future__ import annotations

import calendar
import dataclasses
import datetime

from shortlist.errors import BadInputError
from shortlist.scalars import BadCell, formatted_seconds, iso_seconds, number_of, short_repr
from shortlist.tables.spec import Unit
from shortlist.tables.time_formats import date_seconds
from shortlist.tables.timestamps import PER_SECOND, is_iso, unit_of_number

FRESH_DAYS = 30
"""Maximum age of a log's newest row, in days, for which a request is made as of now."""

_EPOCH = datetime.datetime(1970, 1, 1)
# In seconds since 1970. Earlier numbers are in another unit; later times cannot be printed.
_EARLIEST = calendar.timegm((1971, 1, 1, 0, 0, 0))
_LATEST = calendar.timegm((9999, 12, 31, 23, 59, 59))
_MAX_ORDER = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class AsOf:
    """The time that a request is made as of."""

    time: int | None
    """Whole seconds since 1970, or an order number; None if unknown."""
    text: str
    """Description for users."""


@dataclasses.dataclass(frozen=True)
class LogTimes:
    """Times of the whole log."""

    unit: Unit
    newest: int | None
    """Whole seconds since 1970, or an order number; None for a log without rows or without timestamps."""


def default_as_of(log: LogTimes, newest: int | None, now: int) -> AsOf:
    """Returns the time of a request for which none was given.

    It is now if the log has wall-clock times and a row of the last 30 days. Otherwise, it is just after the newest
    interaction of the history: an old log has no current users, and order numbers have no present.

    Args:
      log: Times of the log.
      newest: Time of the history's newest interaction; None if it has none with a known time.
      now: Seconds since 1970.
    """
    if log.unit != "order" and log.newest is not None and log.newest >= now - FRESH_DAYS * 86_400:
        # Clocks may be wrong: the log may have times until tomorrow.
        time = max(now, (newest or 0) + 1)
        return AsOf(time, f"now, {time_text(time, log.unit)}")
    if newest is not None:
        return AsOf(newest + 1, f"{time_text(newest + 1, log.unit)}, just after the newest interaction of the history")
    return unknown_as_of()


def unknown_as_of() -> AsOf:
    """Returns the time of a request without a history that has times: a model then takes the end of its data."""
    return AsOf(None, "the end of the training data, since no interaction of the history has a time")


def given_as_of(text: str, unit: Unit, where: str, now: int, time_format: str | None = None) -> AsOf:
    """Returns the time that a user gave, see `read_time`; `now` stands for now in a log with wall-clock times."""
    if text.strip() == "now" and unit != "order":
        return AsOf(now, f"now, {time_text(now, unit)}")
    time = read_time(text, unit, where, time_format)
    return AsOf(time, time_text(time, unit))


def read_time(text: str, unit: Unit, where: str, time_format: str | None = None) -> int:
    """Returns a time in whole seconds since 1970, rounded down, or an order number.

    Args:
      text: An ISO 8601 time, in UTC if it names no zone, or a number in the log's unit, or a time in its format.
      unit: The log's unit.
      where: The option, for the error.
      time_format: The log's format of times, see `data.interactions.timestamp_format`.

    Raises:
      BadInputError: The text is neither.
    """
    try:
        if unit != "order" and is_iso(text):
            return _in_range(int(iso_seconds(text) // 1))
        if time_format is not None:
            return _in_range(int(formatted_seconds(text.strip(), time_format) // 1))
        if unit == "dates":
            return _in_range(date_seconds(text.strip()))
        number = number_of(text)
        if number is None or (unit != "order" and unit not in PER_SECOND):
            raise ValueError
        if unit == "order":
            if number != int(number) or not 0 <= number <= _MAX_ORDER:
                raise ValueError
            return int(number)
        if unit_of_number(number) not in (None, unit):
            raise ValueError
        return _in_range(int(number // PER_SECOND[unit]))
    except (BadCell, ValueError, ArithmeticError):
        raise BadInputError.from_parts(where, _expected(unit, time_format), short_repr(text)) from None


def time_text(time: int, unit: Unit) -> str:
    """Returns a time for users: `2026-01-31 12:00:00 UTC`, or `order number 12`."""
    if unit == "order":
        return f"order number {time}"
    return f"{(_EPOCH + datetime.timedelta(seconds=time)).isoformat(sep=' ')} UTC"


def _in_range(seconds: int) -> int:
    if not _EARLIEST <= seconds <= _LATEST:
        raise ValueError
    return seconds


def _expected(unit: Unit, time_format: str | None) -> str:
    if unit == "order":
        return "a whole order number as in the log, 0 or more"
    iso = "a time in ISO 8601 such as 2026-01-31T12:00:00Z"
    if time_format is not None:
        return f"{iso}, or in the log's format {time_format!r}"
    if unit == "dates":
        return f"{iso}, or eight digits such as 20260131"
    return iso if unit == "iso8601" else f"{iso}, or in {unit} since 1970 as in the log"
