"""Formats of numbers, titles and settings for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist.metrics.intervals import wilson

NOTHING = "–"  # noqa: RUF001  an en dash marks a missing value in a table


def share(value: float | None) -> str:
    """Returns a share with four decimal places, as everywhere in Shortlist."""
    return NOTHING if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """Returns a share as a percentage."""
    return NOTHING if value is None else f"{value:.1%}"


def count(value: float | None) -> str:
    """Returns a whole number with thousands separators."""
    return NOTHING if value is None else f"{value:,.0f}"


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
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def seconds(value: float) -> str:
    """Returns a duration in seconds, or in minutes and seconds from 100 seconds on."""
    if value < 100:
        return f"{value:.1f} s"
    return f"{value // 60:.0f} min {value % 60:02.0f} s"


def title(candidate: Mapping[str, Any]) -> str:
    """Returns a candidate's title, or its id if it has no title."""
    return str(candidate.get("title") or candidate.get("id") or NOTHING)


def setting(value: object) -> str:
    """Returns the value of a setting."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "", [], {}) else str(value)
