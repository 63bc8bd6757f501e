"""Figures and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist.metrics.intervals import wilson

NOTHING = "–"  # noqa: RUF001  an en dash in a table says that there is none


def share(value: float | None) -> str:
    """Returns a share in four digits, as all of Shortlist prints them."""
    return NOTHING if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """Returns a share as a percentage."""
    return NOTHING if value is None else f"{value:.1%}"


def count(value: float | None) -> str:
    """Returns a whole number with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def interval(value: float | None, rows: float) -> str:
    """Returns the 95% interval of a share of so many rows."""
    if value is None or not rows:
        return NOTHING
    low, high = wilson(value, rows)
    return f"{low:.3f} to {high:.3f}"


def number(value: float | None) -> str:
    """Returns a number in as many digits as tell something."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.4g}"


def seconds(value: float) -> str:
    """Returns a duration."""
    return f"{value:.1f} s" if value < 100 else f"{value // 60:.0f} min {value % 60:02.0f} s"


def title(candidate: Mapping[str, Any]) -> str:
    """Returns what people know a candidate by, or its id."""
    return str(candidate.get("title") or candidate.get("id") or NOTHING)


def setting(value: object) -> str:
    """Returns a setting of a config."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "", [], {}) else str(value)
