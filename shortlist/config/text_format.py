"""Checks of the settings for text files: delimiter, encoding and time format."""

from __future__ import annotations

import codecs
import datetime
import re

from shortlist.quoting import short_repr

# All parts differ, so that a swapped or missing part is found.
_PROBES = (
    datetime.datetime(2011, 12, 9, 13, 45, 7, tzinfo=datetime.timezone.utc),
    datetime.datetime(2004, 2, 28, 1, 3, 59, tzinfo=datetime.timezone.utc),
)
_UNSAFE = re.compile('["\r\n]')
_HOUR_OF_12 = re.compile(r"(?<!%)(?:%%)*%I")
_ZONE_NAME = re.compile(r"(?<!%)(?:%%)*%Z")


def checked_delimiter(delimiter: str) -> str:
    r"""Returns a delimiter; the two characters `\t`, as a shell passes them on, become a tab.

    Raises:
      ValueError: It is empty, or has a character that a delimiter cannot have.
    """
    delimiter = delimiter.replace("\\t", "\t")
    if not delimiter:
        raise ValueError("delimiter must not be empty")
    if _UNSAFE.search(delimiter):
        raise ValueError(f"delimiter must have no quotes or line ends, got {short_repr(delimiter)}")
    return delimiter


def checked_encoding(encoding: str) -> str:
    """Returns the name of a text encoding of Python.

    Raises:
      ValueError: Python has no such encoding, or it is not for text.
    """
    try:
        codec = codecs.lookup(encoding)
        codecs.getincrementaldecoder(encoding)
        if not codec._is_text_encoding:
            raise LookupError
        # `undefined` exists and refuses all input.
        "a\n".encode(encoding).decode(encoding)
    except (LookupError, ValueError):
        raise ValueError(
            "encoding must be a text encoding of Python, such as utf-8, cp1252, latin-1 or utf-16, "
            f"got {short_repr(encoding)}"
        ) from None
    return encoding


def checked_columns(columns: tuple[str, ...] | None, header: bool) -> None:
    """Checks the names of columns without a header.

    Raises:
      ValueError: Names are missing, empty, repeated, or given beside a header.
    """
    if columns is None:
        if not header:
            raise ValueError("header: false needs columns, the names of all columns in their order")
        return
    if header:
        raise ValueError("columns needs header: false; a header names the columns already")
    if not columns or not all(name.strip() for name in columns):
        raise ValueError("columns must be names, none of them blank")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(f"columns must have each name once, got {short_repr(twice)} twice")


def checked_time_format(time_format: str) -> str:
    """Returns a format for `datetime.strptime` whose times have a year, a month and a day.

    Raises:
      ValueError: The format is none, or leaves a part of the date open.
    """
    if _ZONE_NAME.search(time_format):
        raise ValueError(
            "timestamp_format must not have %Z, because names of zones are ambiguous; "
            "use %z for offsets, or write a name such as UTC itself"
        )
    if _HOUR_OF_12.search(time_format) and "%p" not in time_format:
        raise ValueError(f"timestamp_format with %I needs %p (AM or PM), got {short_repr(time_format)}")
    try:
        dates = [datetime.datetime.strptime(time.strftime(time_format), time_format).date() for time in _PROBES]
    except (ValueError, re.error, UnicodeError, IndexError, KeyError):
        raise ValueError(
            "timestamp_format must be a format of Python's strptime, such as %m/%d/%Y %H:%M, "
            f"got {short_repr(time_format)}"
        ) from None
    if dates != [time.date() for time in _PROBES]:
        raise ValueError(
            f"timestamp_format must hold year, month and day, such as %d.%m.%Y, got {short_repr(time_format)}"
        )
    return time_format
