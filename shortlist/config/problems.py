"""Plain sentences for pydantic's validation errors: expected, got, remedy."""

from __future__ import annotations

import datetime
import enum
import re
import reprlib
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from shortlist.config import key_paths
from shortlist.config.key_paths import Declared, Location
from shortlist.config.section import Section
from shortlist.config.values import RefusedValue
from shortlist.quoting import closest
from shortlist.secrets import secrets_in

_MAX_SHOWN = 200
_MAX_SENTENCE = 5_000
_MAX_SENTENCES = 20
_MAX_BITS = 512
_MAX_PART = 60
_NAMED_KEY = re.compile(r"([a-z_]+): ")


class _BoundedRepr(reprlib.Repr):
    """Short representations of nested values."""

    def repr_int(self, x: int, level: int) -> str:
        del level
        # Python refuses to convert whole numbers of over 4,300 digits to text; YAML's 0xff... can be one.
        return repr(x) if x.bit_length() < _MAX_BITS else f"a whole number of {x.bit_length():,} bits"


# Strings are not shortened: `secrets_in` does not recognise half of a signed address.
_BOUNDED = _BoundedRepr()
_BOUNDED.maxlevel, _BOUNDED.maxstring, _BOUNDED.maxother = 2, 10_000, 10_000

# Looked up by identity, because `bool` is a subclass of `int`.
_NOUNS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime.date: "a date such as 2024-12-31",
    dict: "a mapping of names to values",
    tuple: "a list",
}
_LIMITS = {
    "ge": ", at least {}",
    "gt": ", above {}",
    "le": ", at most {}",
    "lt": ", below {}",
    "max_length": " of at most {} values",
    "pattern": " that matches {}",
}
_UNKNOWN_KEY = ("extra_forbidden", "invalid_key")


def sentences(error: pydantic.ValidationError, root: type[Section]) -> list[str]:
    """Returns one sentence per problem of a section, each with the path of its key; after twenty, their number.

    Args:
      error: The validation error.
      root: The validated section; paths start at it.
    """
    found: dict[str, None] = {}
    for number, problem in enumerate(error.errors(include_url=False)):
        if len(found) == _MAX_SENTENCES:
            return [*found, f"and {error.error_count() - number:,} more problems"]
        sentence = _sentence(problem, root)
        found[sentence if len(sentence) <= _MAX_SENTENCE else f"{sentence[:_MAX_SENTENCE]}..."] = None
    return list(found)


def _sentence(problem: Any, root: type[Section]) -> str:
    loc, kind = problem["loc"], problem["type"]
    if kind in _UNKNOWN_KEY:
        at = key_paths.locate(root, loc[:-1])
        return _unknown(str(loc[-1]), at, root)
    at = key_paths.locate(root, loc)
    if kind == "missing":
        return f"the key {'.'.join(at.path)!r} is required"
    if at.declared.tag is not None and kind == "union_tag_not_found":
        key = ".".join([*at.path, at.declared.tag])
        return f"the key {key!r} is required, one of {_listed(at.declared.members)}"
    path = list(at.path)
    if at.declared.tag and kind == "union_tag_invalid":
        path.append(at.declared.tag)
    complaint = _complaint(problem, at)
    # A check of several keys names the wrong one itself: "title: 'x' is not among the features".
    named = _NAMED_KEY.match(complaint)
    if named and at.declared.section and named[1] in key_paths.fields(at.declared.section):
        path += [named[1]]
        complaint = complaint.removeprefix(f"{named[1]}: ")
    where = ".".join(part if len(part) <= _MAX_PART else f"{part[:_MAX_PART]}..." for part in path)
    return f"{where}: {complaint}" if where else complaint


def _complaint(problem: Any, at: Location) -> str:
    """Returns the problem of a value, without its path."""
    kind, value, here = problem["type"], problem.get("input"), at.declared
    if kind == "value_error":
        reason = problem["ctx"]["error"]
        if isinstance(reason, RefusedValue):
            return f"{reason.where}: {_first(reason.error, reason.section)}"
        return str(reason)
    if here.tag is not None and kind == "union_tag_invalid":
        tag = problem["ctx"]["tag"]
        if isinstance(value, Mapping):
            tag = value.get(here.tag)  # Pydantic's own tag is a string, whatever the file has.
        return f"{shown(tag)} is not one of {_listed(here.members)}"
    choices = _choices(here.type)
    if choices:
        return f"{shown(value)} is not one of {', '.join(choices)}"
    expected = "a finite number" if kind == "finite_number" else _described(here)
    if at.is_key:
        expected += " as the key"
    # YAML reads 007, yes and 2024-12-31 as a number, a boolean and a date, not as text.
    is_unquoted = here.type is str and isinstance(value, bool | int | float | datetime.date)
    remedy = "; put it in quotes" if is_unquoted else ""
    return f"expected {expected}, got {shown(value)}{remedy}"


def _first(error: pydantic.ValidationError, root: type[Section]) -> str:
    """Returns the first problem without its path: "expected a number, above 0, got -0.1"."""
    problem = error.errors()[0]
    return _complaint(problem, key_paths.locate(root, problem["loc"]))


def _unknown(name: str, at: Location, root: type[Section]) -> str:
    """Returns the sentence for an unknown key. It suggests the nearest key of the section, or else of the config."""
    path = (*at.path, name)
    sentence = f"unknown key {shown('.'.join(path))}"
    all_keys = key_paths.keys_of(root)
    same = [key for key in all_keys if key.path == path]
    if same:
        return f"{sentence}; it is a key of {same[0].tag}: {_either([str(key.kind) for key in same])}"
    siblings: list[str] = []
    if at.declared.section:
        siblings = list(key_paths.fields(at.declared.section))
    near = closest(name, siblings)
    if near:
        return f"{sentence}; did you mean {near!r}?"
    near = closest(name, sorted({key.path[-1] for key in all_keys}))
    if not near:
        return sentence
    namesakes = [key for key in all_keys if key.path[-1] == near]
    best = max(namesakes, key=lambda key: _shared(key.path, path))
    kinds = [str(key.kind) for key in namesakes if key.path == best.path and key.kind]
    member = f" ({best.tag}: {_either(kinds)})" if kinds else ""
    return f"{sentence}; did you mean {'.'.join(best.path)!r}{member}?"


def _shared(first_path: Sequence[str], second_path: Sequence[str]) -> int:
    """Returns the number of leading parts that two paths share."""
    pairs = enumerate(zip(first_path, second_path, strict=False))
    return next((count for count, (one, other) in pairs if one != other), min(len(first_path), len(second_path)))


def _described(here: Declared) -> str:
    """Returns a description of a type's values: "a whole number, at least 1"."""
    if here.tag is not None:
        return f"a section with the key {here.tag!r}, one of {_listed(here.members)}"
    if here.section is not None:
        required = [name for name, field in here.section.model_fields.items() if field.is_required()]
        if not required:
            return "a section of keys and values"
        plural = "s" if len(required) > 1 else ""
        return f"a section with the key{plural} {', '.join(map(repr, required))}"
    origin = typing.get_origin(here.type) or here.type
    if origin in _NOUNS:
        return f"{_NOUNS[origin]}{limits(here.constraints)}"
    members = [_described(key_paths.declared(member)) for member in typing.get_args(here.type)]
    return _either(members) if members else "another kind of value"


def limits(constraints: Sequence[Any]) -> str:
    """Returns the constraints as an addition to a noun: ", at least 1, at most 256"."""
    found = [(word, getattr(constraint, name, None)) for constraint in constraints for name, word in _LIMITS.items()]
    return "".join(word.format(_number(limit)) for word, limit in found if limit is not None)


def _number(limit: object) -> object:
    if isinstance(limit, float):
        return f"{limit:,.0f}" if limit.is_integer() else f"{limit:g}"
    return f"{limit:,}" if isinstance(limit, int) else limit


def _either(texts: Sequence[str]) -> str:
    """Returns "a, b or c"."""
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def _choices(type_: Any) -> list[str]:
    """Returns the values of a `Literal` or enum, as written in the config file; none for other types."""
    if typing.get_origin(type_) is typing.Literal:
        return [str(value) for value in typing.get_args(type_)]
    if isinstance(type_, type) and issubclass(type_, enum.Enum):
        return [str(member.value) for member in type_]
    return []


def _listed(members: Mapping[str, object]) -> str:
    return ", ".join(sorted(members))


def shown(value: object) -> str:
    """Returns a value for an error message: short, although YAML's aliases can make it huge, and without secrets."""
    text = str(value) if isinstance(value, datetime.date) else _BOUNDED.repr(value)
    if secrets_in(text):
        return "a value with credentials in it"
    if len(text) > _MAX_SHOWN:
        return f"{text[:_MAX_SHOWN]}..."
    return text
