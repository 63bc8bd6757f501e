"""Times in formats other than ISO 8601: texts for `strptime`, and dates of eight digits."""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterable

from shortlist.scalars import BadCell, formatted_seconds, short_repr

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_EIGHT_DIGITS = re.compile(r"[12]\d{7}", re.ASCII)

_DATES = (
    *(f"%m{mark}%d{mark}%{year}" for mark in "/.-" for year in "Yy"),
    *(f"%d{mark}%m{mark}%{year}" for mark in "/.-" for year in "Yy"),
    *("%Y/%m/%d", "%Y.%m.%d", "%m %d, %Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_FORMATS = (
    *(f"{date}{clock}" for date, clock in itertools.product(_DATES, _CLOCKS)),
    *("%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z"),
    *("%Y-%m-%d %I:%M:%S %p", "%Y%m%d%H%M%S", "%Y%m%d %H:%M:%S"),
)


def matching(texts: Iterable[str]) -> list[str]:
    """Returns the usual formats that read every text: several if the order of day and month is ambiguous.

    Args:
      texts: Times without blanks around them; some of them may be blank.
    """
    formats = list(_FORMATS)
    present = [text for text in dict.fromkeys(texts) if text]
    for text in present:
        formats = [format_ for format_ in formats if _reads(text, format_)]
    return formats if present else []


def date_seconds(text: str) -> int:
    """Returns the seconds since 1970 of a date of eight digits, such as 20231114, at midnight in UTC.

    Raises:
      BadCell: The text is no such date.
    """
    try:
        if not _EIGHT_DIGITS.fullmatch(text):
            raise ValueError
        day = datetime.datetime(int(text[:4]), int(text[4:6]), int(text[6:]), tzinfo=datetime.timezone.utc)
    except ValueError:
        raise BadCell("a date of eight digits", short_repr(text), "write dates like 20231114") from None
    return (day - _EPOCH) // datetime.timedelta(seconds=1)


def _reads(text: str, time_format: str) -> bool:
    try:
        formatted_seconds(text, time_format)
    except BadCell:
        return False
    return True
