"""Ids and histories as Python users give them."""

from __future__ import annotations

import calendar
import datetime
import numbers
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shortlist.errors import BadInputError
from shortlist.quoting import closest, short_repr
from shortlist.scalars import BadCell, iso_seconds

Id = str | int
"""The id of a candidate or a query. Ids are strings; a whole number stands for its digits."""

Time = int | str | datetime.datetime
"""Seconds since 1970 or an order number, an ISO 8601 text, or a datetime; without a zone they are in UTC."""

Interaction = Id | tuple[Id, Time] | Mapping[str, Any]
"""A candidate's id, or a pair of it and the time of the interaction, or `{"id": ..., "time": ..., "features": {...}}`
with the features of the interaction by name; `time` and `features` are optional."""

_ITEM_KEYS = frozenset({"id", "time", "features"})
_warned = False


def id_text(value: object, name: str) -> str:
    """Returns an id as a string, with one warning per process for whole numbers.

    Args:
      value: The id.
      name: The argument, for the error.

    Raises:
      BadInputError: It is neither a string nor a whole number.
    """
    global _warned
    if isinstance(value, str):
        return str(value)
    # NumPy's integers are registered as integral; a bool is an int, but no id.
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise BadInputError.from_parts(name, "an id, a string", short_repr(value))
    if not _warned:
        _warned = True
        message = f"ids are strings: {value} is taken as '{value}', and so are other whole numbers"
        warnings.warn(message, stacklevel=_callers_level())
    return str(int(value))


def _callers_level() -> int:
    """Returns the `stacklevel` of the first frame outside this package: the user's line."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("shortlist.api."):
        frame, level = frame.f_back, level + 1
    return level


def id_texts(values: Iterable[object], name: str) -> list[str]:
    """Returns ids as strings, see `id_text`.

    Raises:
      BadInputError: The values are one string, or one of them is no id.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise BadInputError.from_parts(name, "a list of ids", short_repr(values))
    return [id_text(value, name) for value in values]


def unknown_candidate(candidate_id: str, titles: Mapping[str, str | None]) -> BadInputError:
    """Returns the error for a candidate that a model does not know.

    Args:
      candidate_id: Its id.
      titles: Title by id of the model's candidates.
    """
    remedy = "`model.catalogue` has all ids"
    if close := closest(candidate_id, titles):
        remedy = f"did you mean {close!r}?"
    return BadInputError.from_parts("candidate", "an id of the model's catalogue", short_repr(candidate_id), remedy)


def reiterable(history: Iterable[Interaction]) -> Any:
    """Returns a history that can be read twice; what is no history, such as a string, stays as it is."""
    return history if isinstance(history, str) or not isinstance(history, Iterable) else list(history)


def pairs(history: Iterable[object], name: str = "history") -> list[tuple[str, int]]:
    """Returns (candidate id, time) of a history, oldest first; time 0 means unknown.

    Args:
      history: Interactions, oldest first.
      name: The argument, for the error.

    Raises:
      BadInputError: The history is one string, or has something else than ids and pairs.
    """
    if isinstance(history, str) or not isinstance(history, Iterable):
        raise BadInputError.from_parts(name, "a list of ids", short_repr(history))
    return [_pair(item, name) for item in history]


def _pair(item: object, name: str) -> tuple[str, int]:
    if isinstance(item, Mapping):
        unknown = sorted(map(str, set(item) - _ITEM_KEYS))
        if unknown or "id" not in item:
            got = f"the key {unknown[0]!r}" if unknown else "no id"
            raise BadInputError.from_parts(name, "items with id, and optionally time and features", got)
        time = item.get("time")
        return id_text(item["id"], name), 0 if time is None else seconds(time, name)
    if isinstance(item, tuple | list) and len(item) == 2:
        return id_text(item[0], name), seconds(item[1], name)
    return id_text(item, name), 0


def item_features(history: Sequence[object], name: str = "history") -> dict[str, list[Any]]:
    """Returns the features of a history's items by name, in the order of the items; None where an item lacks one.

    Raises:
      BadInputError: The features of an item are not a mapping.
    """
    of_items: list[Mapping[str, Any]] = []
    for item in history:
        features = item.get("features") if isinstance(item, Mapping) else None
        if not isinstance(features, Mapping | None):
            raise BadInputError.from_parts(f"{name}, features", "values by name", short_repr(features))
        of_items.append(features or {})
    names = dict.fromkeys(feature for features in of_items for feature in features)
    return {feature: [features.get(feature) for features in of_items] for feature in names}


def seconds(time: object, name: str) -> int:
    """Returns a time as whole seconds since 1970, rounded down, or as the order number that it is.

    Raises:
      BadInputError: It is not a `Time`.
    """
    if isinstance(time, datetime.datetime):
        return calendar.timegm(time.utctimetuple())
    if isinstance(time, numbers.Integral) and not isinstance(time, bool):
        return int(time)
    try:
        if isinstance(time, str):
            return int(iso_seconds(time) // 1)
    except BadCell:
        pass
    raise BadInputError.from_parts(
        name, "a time: seconds since 1970, ISO 8601 text such as 2026-01-31T12:00:00Z, or a datetime", short_repr(time)
    )
