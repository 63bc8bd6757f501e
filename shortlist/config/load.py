"""Reads a config file and turns what is wrong with it into one sentence."""

from __future__ import annotations

import difflib
import functools
import os
import pathlib
import reprlib
import typing

import pydantic
import yaml

from shortlist.config.config import Config
from shortlist.config.secrets import secrets_in
from shortlist.config.section import Section
from shortlist.errors import ConfigError

_MAX_SHOWN = 200
# Strings whole: half of a signed address does not look like one.
_BOUNDED = reprlib.Repr()
_BOUNDED.maxlevel, _BOUNDED.maxstring, _BOUNDED.maxother = 2, 10_000, 10_000


def load_config(path: str | os.PathLike[str], overrides: dict[str, object] | None = None) -> Config:
    """Returns the checked config of a YAML file.

    Args:
      path: The YAML file; tags are refused, since YAML's can run code.
      overrides: Values by dotted key, `{"train.seed": 2}`, applied over the file.

    Raises:
      ConfigError: Names the file, the key, what was expected and what was got.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file; `configs/` has the presets") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())
        raise ConfigError(f"{path}: not plain YAML: {what}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping at the top (name:, workspace:, data: ...)")
    for dotted, value in (overrides or {}).items():
        _set(raw, dotted, value, path)
    return parse_config(raw, str(path))


def parse_config(raw: dict[str, object], source: str) -> Config:
    """Returns the checked config of a plain dict; `source` names it in errors."""
    try:
        return Config.model_validate(raw)
    except pydantic.ValidationError as error:
        problems = [_sentence(problem) for problem in error.errors()]
        # Keys and values may hold line ends; the sentence has none.
        raise ConfigError(" ".join(f"{source}: {'; '.join(dict.fromkeys(problems))}".split())) from None


def _set(raw: dict[str, object], dotted: str, value: object, path: pathlib.Path) -> None:
    *parents, last = dotted.split(".")
    node = raw
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{path}: {dotted} cannot be set, {parent} is not a section")
        node = child
    node[last] = value


def _sentence(problem: typing.Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part not in _union_tags())
    kind = problem["type"]
    if kind == "extra_forbidden":
        unknown = str(problem["loc"][-1])
        near = difflib.get_close_matches(unknown, _known_keys(), n=1)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        return f"the key {where!r} is required"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message[0].lower()}{message[1:]}, got {_shown(problem.get('input'))}"


def _shown(value: object) -> str:
    """Returns a value as an error may show it: short, however large YAML's aliases make it, and without a secret."""
    text = _BOUNDED.repr(value)
    if secrets_in(text):
        return "a value with credentials in it"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


@functools.cache
def _sections(base: type[Section] = Section) -> tuple[type[Section], ...]:
    """Returns the sections that derive from another, over any number of steps."""
    return tuple(found for child in base.__subclasses__() for found in (child, *_sections(child)))


@functools.cache
def _known_keys() -> tuple[str, ...]:
    return tuple({name for section in _sections() for name in section.model_fields})


@functools.cache
def _union_tags() -> frozenset[str]:
    """The discriminators (`history`, `in_batch`), which pydantic puts into the location."""
    return frozenset(
        section.model_fields[tag].default
        for section in _sections()
        for tag in ("kind", "engine")
        if tag in section.model_fields
    ) - {"random"}
