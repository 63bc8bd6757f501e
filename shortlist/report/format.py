"""Formats of numbers, titles and settings for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist.metrics.intervals import wilson

NOTHING = "–"  # noqa: RUF001  an en dash marks a missing value in a table


def share(value: float | None) -> str:
    """Returns a share with four decimal places, as everywhere in Shortlist."""
    return _format(value, ".4f")


def percent(value: float | None) -> str:
    """Returns a share as a percentage."""
    return _format(value, ".1%")


def count(value: float | None) -> str:
    """Returns a whole number with thousands separators."""
    return _format(value, ",.0f")


def milliseconds(value: float | None) -> str:
    """Returns a latency in milliseconds."""
    return _format(value, ".2f", " ms")


def interval(value: float | None, rows: float) -> str:
    """Returns the 95% confidence interval of a share of `rows` rows."""
    if value is None or not rows:
        return NOTHING
    low, high = wilson(value, rows)
    return f"{low:.3f} to {high:.3f}"


def number(value: float | None) -> str:
    """Returns a whole number in full, and another one with four significant digits."""
    if value is None:
        return NOTHING
    # A double keeps 15 digits.
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def year(value: float | None) -> str:
    """Returns a year, or a mean of years, without thousands separators."""
    return _format(value, ".0f" if value is not None and float(value).is_integer() else ".1f")


def seconds(value: float) -> str:
    """Returns a duration in seconds, or in minutes and seconds from 100 seconds on."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s"


def title(candidate: Mapping[str, Any]) -> str:
    """Returns a candidate's title, or its id if it has no title."""
    return str(candidate.get("title") or candidate.get("id") or NOTHING)


def setting(value: object) -> str:
    """Returns the value of a setting."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in (None, "", [], {}):
        return "none"
    return str(value)


def shorten(text: str, length: int) -> str:
    """Returns a text, cut off with an ellipsis if it is longer than `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _format(value: float | None, form: str, unit: str = "") -> str:
    return NOTHING if value is None else f"{value:{form}}{unit}"
