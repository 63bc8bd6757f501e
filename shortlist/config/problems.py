"""Plain sentences for what pydantic finds wrong with a section: expected, got, remedy."""

from __future__ import annotations

import datetime
import difflib
import enum
import reprlib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from shortlist.config import key_paths
from shortlist.config.key_paths import Declared, Location
from shortlist.config.secrets import secrets_in
from shortlist.config.section import Section
from shortlist.config.values import RefusedValue

_MAX_SHOWN = 200
# Strings whole: half of a signed address does not look like one.
_BOUNDED = reprlib.Repr()
_BOUNDED.maxlevel, _BOUNDED.maxstring, _BOUNDED.maxother = 2, 10_000, 10_000

# `bool` is an `int`: these are compared by identity.
_NOUNS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime.date: "a date such as 2024-12-31",
    dict: "a mapping of names to values",
    tuple: "a list",
}
_UNKNOWN_KEY = ("extra_forbidden", "invalid_key")


def sentences(error: pydantic.ValidationError, root: type[Section]) -> list[str]:
    """Returns what is wrong with a section, one sentence a problem, each with the path of its key.

    Args:
      error: What validation raised.
      root: The section that was validated; paths start at it.
    """
    return list(dict.fromkeys(_sentence(problem, root) for problem in error.errors()))


def _sentence(problem: Any, root: type[Section]) -> str:
    loc, kind = problem["loc"], problem["type"]
    if kind in _UNKNOWN_KEY:
        at = key_paths.located(root, loc[:-1])
        return _unknown(str(loc[-1]), at, root)
    at = key_paths.located(root, loc)
    if kind == "missing":
        return f"the key {'.'.join(at.path)!r} is required"
    if at.declared.tag is not None and kind == "union_tag_not_found":
        key = ".".join([*at.path, at.declared.tag])
        return f"the key {key!r} is required, one of {_listed(at.declared.members)}"
    path = [*at.path, at.declared.tag] if at.declared.tag and kind == "union_tag_invalid" else at.path
    complaint = _complaint(problem, at)
    return f"{'.'.join(path)}: {complaint}" if path else complaint


def _complaint(problem: Any, at: Location) -> str:
    """Returns what is wrong with a value, without its path."""
    kind, value, here = problem["type"], problem.get("input"), at.declared
    if kind == "value_error":
        reason = problem["ctx"]["error"]
        if isinstance(reason, RefusedValue):
            return f"{reason.where}: {_first(reason.error, reason.section)}"
        return str(reason)
    if here.tag is not None and kind == "union_tag_invalid":
        tag = value.get(here.tag) if isinstance(value, Mapping) else problem["ctx"]["tag"]
        return f"{shown(tag)} is not one of {_listed(here.members)}"
    choices = _choices(here.type)
    if choices:
        return f"{shown(value)} is not one of {', '.join(choices)}"
    expected = "a finite number" if kind == "finite_number" else _described(here)
    # YAML reads 007, yes and 2024-12-31 as no text.
    unquoted = isinstance(value, bool | int | float | datetime.date)
    remedy = "; put it in quotes" if here.type is str and unquoted else ""
    return f"expected {expected}{' as the key' if at.is_key else ''}, got {shown(value)}{remedy}"


def _first(error: pydantic.ValidationError, root: type[Section]) -> str:
    """Returns what is wrong with the first value, without its path: "expected a number, above 0, got -0.1"."""
    problem = error.errors()[0]
    return _complaint(problem, key_paths.located(root, problem["loc"]))


def _unknown(name: str, at: Location, root: type[Section]) -> str:
    """Returns that a key is unknown, and the nearest one: in its section, else anywhere."""
    path = (*at.path, name)
    sentence = f"unknown key {shown('.'.join(path))}"
    everywhere = key_paths.keys_of(root)
    same = [key for key in everywhere if key.path == path]
    if same:
        return f"{sentence}; it is a key of {same[0].tag}: {_either([str(key.kind) for key in same])}"
    siblings = list(key_paths.fields(at.declared.section)) if at.declared.section else []
    near = difflib.get_close_matches(name, siblings, n=1)
    if near:
        return f"{sentence}; did you mean {near[0]!r}?"
    near = difflib.get_close_matches(name, sorted({key.path[-1] for key in everywhere}), n=1)
    if not near:
        return sentence
    namesakes = [key for key in everywhere if key.path[-1] == near[0]]
    best = max(namesakes, key=lambda key: _shared(key.path, path))
    kinds = [str(key.kind) for key in namesakes if key.path == best.path and key.kind]
    return f"{sentence}; did you mean {'.'.join(best.path)!r}{f' ({best.tag}: {_either(kinds)})' if kinds else ''}?"


def _shared(first_path: Sequence[str], second_path: Sequence[str]) -> int:
    """Returns how many leading parts two paths share."""
    pairs = enumerate(zip(first_path, second_path, strict=False))
    return next((count for count, (one, other) in pairs if one != other), min(len(first_path), len(second_path)))


def _described(here: Declared) -> str:
    """Returns what a type takes: "a whole number, at least 1"."""
    if here.tag is not None:
        return f"a section with the key {here.tag!r}, one of {_listed(here.members)}"
    if here.section is not None:
        required = [name for name, field in here.section.model_fields.items() if field.is_required()]
        keys = f" with the key{'s' if len(required) > 1 else ''} {', '.join(map(repr, required))}"
        return f"a section{keys if required else ' of keys and values'}"
    origin = typing.get_origin(here.type) or here.type
    if origin in _NOUNS:
        return f"{_NOUNS[origin]}{_limits(here.constraints)}"
    members = [_described(key_paths.declared(member)) for member in typing.get_args(here.type)]
    return _either(members) if members else "another kind of value"


def _limits(constraints: Sequence[Any]) -> str:
    """Returns what constraints add to a noun: ", at least 1, at most 256"."""
    words = {"ge": ", at least {:,g}", "gt": ", above {:,g}", "le": ", at most {:,g}", "lt": ", below {:,g}"}
    words["pattern"] = " that matches {}"
    found = [(word, getattr(constraint, name, None)) for constraint in constraints for name, word in words.items()]
    return "".join(word.format(limit) for word, limit in found if limit is not None)


def _either(texts: Sequence[str]) -> str:
    """Returns "a, b or c"."""
    *most, last = texts
    return f"{', '.join(most)} or {last}" if most else last


def _choices(type_: Any) -> list[str]:
    """Returns the values of a type that has few, as the config file has them."""
    if typing.get_origin(type_) is typing.Literal:
        return [str(value) for value in typing.get_args(type_)]
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return [str(member.value) for member in type_]
    return []


def _listed(members: Mapping[str, object]) -> str:
    return ", ".join(sorted(members))


def shown(value: object) -> str:
    """Returns a value as an error may show it: short, however large YAML's aliases make it, and without a secret."""
    text = str(value) if isinstance(value, datetime.date) else _BOUNDED.repr(value)
    if secrets_in(text):
        return "a value with credentials in it"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
