"""Formats of dates that are not ISO 8601, for `datetime.strptime`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

EARLIEST_YEAR = 1990
"""Earlier times are taken for faults."""

_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%y", "%d/%m/%y"),
    *("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%m %d, %Y", "%d.%m.%y"),
)
_HOURS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S %z")
_WHOLE = (
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"),
    *("%Y-%m-%d %H", "%Y-%m-%dT%H", "%I:%M %p, %B %d %Y"),
    *("%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p"),
    *("%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z"),
)
FORMATS = (*(f"{day} {hour}".strip() for day in _DAYS for hour in _HOURS), *_WHOLE)
# Pairs of formats that read the same text as two different days.
_SWAPPED = {"%m/%d": "%d/%m", "%d/%m": "%m/%d", "%m-%d": "%d-%m", "%d-%m": "%m-%d"}


def reads_all(texts: Iterable[str], format: str) -> bool:
    """Returns whether all texts are times of 1990 or later in a strptime format."""
    return all(_read(text, format) is not None for text in texts)


def _read(text: str, format: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.strptime(text.strip(), format)
    except ValueError:
        return None
    # A two-digit year is read as 1969 to 2068.
    return moment if EARLIEST_YEAR <= moment.year <= datetime.date.today().year + 1 else None


def is_swapped(first: str, second: str) -> bool:
    """Returns whether two formats differ in the order of day and month alone."""
    return any(first.replace(day, other, 1) == second for day, other in _SWAPPED.items() if day in first)
