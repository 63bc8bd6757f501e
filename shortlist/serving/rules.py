"""Conditions on the attributes of candidates, for filters, boosts and promotions. The module needs NumPy only.

A filter is a mapping from attribute to its rule, as JSON has it:

    {"genres": {"any": ["Comedy", "Drama"], "none": ["Horror"]}, "release_year": {"min": 1990, "max": 1999}}

A candidate passes if it passes the rules of all attributes. A candidate without a value passes `none`, and fails `any`,
`min` and `max`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.quoting import listed, short_repr

CATEGORIES = ("category", "multi_category")
"""The types of attributes that have `any` and `none`."""
NUMBER = "numeric"
"""The type of attributes that have `min` and `max`."""

# The greatest float32: attributes are of this type.
_MAX_NUMBER = 3.4028234663852886e38
_FORM = {**dict.fromkeys(CATEGORIES, ("any", "none")), NUMBER: ("min", "max")}

Attributes = Mapping[str, Sequence[Any]]
"""Values of some candidates by attribute: per candidate a list of strings, or a number; None or NaN if missing."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """The condition on one attribute; empty parts are no condition."""

    any: tuple[str, ...] = ()
    """The candidate has one of these values or more."""
    none: tuple[str, ...] = ()
    """The candidate has none of these values."""
    min: float | None = None
    """The candidate's number is this or more."""
    max: float | None = None
    """The candidate's number is this or less."""

    def passes(self, value: Any) -> bool:
        """Returns whether a value passes: a list of strings, one string, a number, or None."""
        if self.min is not None or self.max is not None:
            number = value if isinstance(value, np.floating) else np.float64(math.nan if value is None else value)
            # The bounds get the number's precision: the model has float32, and 0.1 is another number there.
            low, high = (None if bound is None else number.dtype.type(bound) for bound in (self.min, self.max))
            # A comparison with NaN is false.
            return bool((low is None or number >= low) and (high is None or number <= high))
        if not self.any and not self.none:
            return True
        values = () if value is None else (value,) if isinstance(value, str) else value
        has_any = not self.any or any(item in self.any for item in values)
        return has_any and not any(item in self.none for item in values)


Filter = Mapping[str, Rule]
"""Rule by attribute."""


def parse_filter(value: object, kinds: Mapping[str, str], where: str = "filter") -> dict[str, Rule]:
    """Returns a filter from its JSON form, see the module.

    Args:
      value: The mapping; None is an empty filter, and an empty rule is none.
      kinds: The attributes that may be named, with their type in the config.
      where: The argument's name, for errors.

    Raises:
      BadInputError: The form is another, or an attribute is unknown.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        example = '{"genres": {"any": ["Comedy"]}}'
        raise BadInputError.from_parts(where, f"rules by attribute, such as {example}", short_repr(value))
    found = {str(name): _parse_rule(name, rule, kinds, where) for name, rule in value.items()}
    return {name: rule for name, rule in found.items() if rule != Rule()}


def _parse_rule(name: object, rule: object, kinds: Mapping[str, str], where: str) -> Rule:
    form = _FORM.get(str(kinds.get(str(name), "")))
    if form is None:
        known = [attribute for attribute, kind in sorted(kinds.items()) if kind in _FORM]
        expected = f"one of the attributes {listed(known)}" if known else "no attribute, since the model has none"
        remedy = "`index.filters` declares them" if where == "filter" else ""
        raise BadInputError.from_parts(where, expected, short_repr(name), remedy)
    where = f"{where}.{name}"
    if not isinstance(rule, Mapping) or not set(rule) <= set(form):
        raise BadInputError.from_parts(where, f"the keys {form[0]} and {form[1]}", short_repr(rule))
    if form == _FORM[NUMBER]:
        low, high = (_number(rule.get(key), f"{where}.{key}") for key in form)
        return Rule(min=low, max=high)
    has, lacks = (_texts(rule.get(key), f"{where}.{key}") for key in form)
    return Rule(any=has, none=lacks)


def _number(value: object, where: str) -> float | None:
    if value is None:
        return None
    # Also refuses NaN and whole numbers that no float holds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_NUMBER:
        raise BadInputError.from_parts(where, "a finite number", short_repr(value))
    return float(value)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadInputError.from_parts(where, "a list of strings", short_repr(value))
    wrong = [item for item in value if not isinstance(item, str) or not item]
    if wrong:
        raise BadInputError.from_parts(where, "a list of strings, none of them empty", short_repr(wrong[0]))
    return tuple(value)


def matches(conditions: Filter, attributes: Attributes, size: int) -> npt.NDArray[np.bool_]:
    """Returns whether each of some candidates passes a filter, bool [size].

    Args:
      conditions: The filter; all candidates pass an empty one.
      attributes: The values of the candidates, [size] per attribute of the filter.
      size: Number of candidates.
    """
    passed = np.ones(size, np.bool_)
    for name, rule in conditions.items():
        passed &= np.fromiter((rule.passes(value) for value in attributes[name]), np.bool_, size)
    return passed


def merged(one: Filter, other: Filter) -> dict[str, Rule]:
    """Returns a filter that passes all candidates which pass both; of two `any` it keeps the second."""
    found = dict(one)
    for name, rule in other.items():
        first = found.get(name, Rule())
        found[name] = Rule(
            any=rule.any or first.any,
            none=first.none + rule.none,
            min=max((bound for bound in (first.min, rule.min) if bound is not None), default=None),
            max=min((bound for bound in (first.max, rule.max) if bound is not None), default=None),
        )
    return found


def signature_values(conditions: Filter) -> dict[str, list[str] | float | None]:
    """Returns the inputs of the served signatures for a filter, by name; absent inputs are no condition."""
    found: dict[str, list[str] | float | None] = {}
    for name, rule in conditions.items():
        parts = {"any": list(rule.any), "none": list(rule.none), "min": rule.min, "max": rule.max}
        found |= {f"{keys.FILTER}{part}_{name}": value for part, value in parts.items() if value not in (None, [])}
    return found
