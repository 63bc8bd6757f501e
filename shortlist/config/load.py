"""Reads and checks a config file. Each problem becomes one sentence."""

from __future__ import annotations

import os
import pathlib

import pydantic
import yaml

from shortlist.config import problems
from shortlist.config.config import Config
from shortlist.config.renamed import RenamedTwice, rename_keys
from shortlist.errors import ConfigError


def load_config(path: str | os.PathLike[str], overrides: dict[str, object] | None = None) -> Config:
    """Returns the checked config of a YAML file.

    Args:
      path: The YAML file. YAML tags are refused, because they can run code.
      overrides: Values by dotted key, such as `{"train.seed": 2}`. They replace those of the file.

    Raises:
      ConfigError: The file cannot be read, or a value is invalid; names the file, the key, the expected and the
        actual value.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file; presets are in `configs/`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from None
    try:
        # ValueError: a date such as 2024-13-01. RecursionError: nested deeper than Python's stack.
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not plain YAML: {reason}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping at the top (name:, workspace:, data: ...)")
    for dotted, value in (overrides or {}).items():
        _set(raw, dotted, value, path)
    return parse_config(raw, str(path))


def parse_config(raw: dict[str, object], source: str) -> Config:
    """Returns the checked config of a plain dict.

    Args:
      raw: The config file as a dict.
      source: Name of the file, for errors.

    Raises:
      ConfigError: A value is invalid, or a key is unknown.
    """
    try:
        return Config.model_validate(rename_keys(raw, source))
    except RenamedTwice as error:
        raise ConfigError(str(error)) from None
    except pydantic.ValidationError as error:
        sentences = "; ".join(problems.sentences(error, Config))
        # Keys and values may contain line ends; an error is one line.
        raise ConfigError(" ".join(f"{source}: {sentences}".split())) from None


def _set(raw: dict[str, object], dotted: str, value: object, path: pathlib.Path) -> None:
    *parents, last = dotted.split(".")
    node = raw
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{path}: {dotted} cannot be set, because {parent} is not a section")
        node = child
    node[last] = value
