"""One change between two runs, as text and with its importance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from shortlist.lineage.facts.wording import YES_OR_NO

_MIN_DIFFERENCE = 1.0
_MIN_RELATIVE = 0.1


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference between two runs."""

    name: str
    before: object
    after: object
    description: str
    """Before and after as text."""
    weight: float = 0.0
    """Importance within the section; 0 if unknown."""


def change(name: str, before: object, after: object, suffix: str = "", weight: float = 0.0) -> Change:
    """Returns a change of any values."""
    return Change(name, before, after, f"{_as_text(before)} to {_as_text(after)}{suffix}", weight)


def count_change(name: str, before: object, after: object) -> Change:
    """Returns a change of numbers with its percentage, at most 1 in weight; other values have none."""
    numbers = [value for value in (before, after) if isinstance(value, int | float)]
    if len(numbers) < 2:
        return change(name, before, after)
    first, second = numbers
    is_whole = all(float(value).is_integer() for value in numbers)
    form = ",.0f" if is_whole else ".4g"
    description = f"{first:{form}} to {second:{form}}{_percent(first, second)}"
    return Change(name, first, second, description, min(relative(first, second), 1.0))


def cost_changes(name: str, before: float, after: float, unit: str) -> Iterator[Change]:
    """Yields a change of seconds or memory if it is at least 1 and 10%."""
    if abs(after - before) >= _MIN_DIFFERENCE and relative(before, after) >= _MIN_RELATIVE:
        description = f"{before:,.0f} {unit} to {after:,.0f} {unit}{_percent(before, after)}"
        yield Change(name, before, after, description, abs(after - before))


def setting_changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[Change]:
    """Yields the settings that differ, by name; a missing one is None."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield change(f"{prefix}{name}", before.get(name), after.get(name))


def _percent(before: float, after: float) -> str:
    if not before:
        return ""
    return f" ({(after - before) / before:+.1%})"


def relative(before: float, after: float) -> float:
    """Returns the absolute difference over the value before, or over that after if it was 0."""
    return abs(after - before) / (abs(before) or abs(after) or 1.0)


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return YES_OR_NO[value]
    return "nothing" if value in (None, "", [], {}) else str(value)
