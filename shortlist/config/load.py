"""Reads and checks a config file. Each problem becomes one sentence."""

from __future__ import annotations

import copy
import os
import pathlib

import pydantic

from shortlist.config import plain_yaml, problems, texts
from shortlist.config.config import Config
from shortlist.config.renamed import RenamedTwice, rename_keys
from shortlist.errors import ConfigError
from shortlist.quoting import short_repr

# The presets have some 3,000 bytes. PyYAML needs 5 seconds per megabyte.
_MAX_BYTES = 1_000_000


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
        raw = plain_yaml.parse(_read(path))
    except plain_yaml.NotPlainYaml as error:
        raise ConfigError(f"{path}: not plain YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a mapping at the top (name:, workspace:, data: ...)")
    if not overrides:
        return parse_config(raw, str(path))
    with_overrides = copy.deepcopy(raw)
    for dotted, value in overrides.items():
        _set(with_overrides, dotted, value, path)
    try:
        return parse_config(with_overrides, str(path))
    except ConfigError:
        # The file's own problem is named first. If it has none, the overrides do.
        parse_config(raw, str(path))
        return parse_config(with_overrides, "--set")


def parse_config(raw: dict[str, object], source: str) -> Config:
    """Returns the checked config of a plain dict.

    Args:
      raw: The config file as a dict.
      source: Name of the file, for errors.

    Raises:
      ConfigError: A value is invalid, or a key is unknown.
    """
    text = texts.first_unusable(raw)
    if text is not None:
        raise ConfigError.from_parts(f"{source}: {text.path}", text.expected, short_repr(text.value))
    try:
        return Config.model_validate(rename_keys(raw, source))
    except RenamedTwice as error:
        raise ConfigError(str(error)) from None
    except pydantic.ValidationError as error:
        sentences = "; ".join(problems.sentences(error, Config))
        # Keys and values may contain line ends; an error is one line.
        raise ConfigError(" ".join(f"{source}: {sentences}".split())) from None


def _read(path: pathlib.Path) -> str:
    """Returns the text of a config file.

    Raises:
      ConfigError: It is missing, not readable, not UTF-8, or larger than a megabyte.
    """
    try:
        # The size is bounded while reading, because a device has no size and no end.
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such config file; presets are in `configs/`") from None
    except (OSError, ValueError) as error:
        # ValueError: a NUL character or half a character in the path.
        reason = getattr(error, "strerror", None) or error
        raise ConfigError.from_reason(path, "a config file that can be read", reason) from None
    if len(content) > _MAX_BYTES:
        raise ConfigError.from_parts(path, f"a config file of at most {_MAX_BYTES:,} bytes", "more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"byte 0x{content[error.start]:02x} at position {error.start}"
        raise ConfigError.from_parts(path, "a text in UTF-8", got, "save it as UTF-8") from None


def _set(raw: dict[str, object], dotted: str, value: object, path: pathlib.Path) -> None:
    *parents, last = dotted.split(".")
    node = raw
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{path}: {dotted} cannot be set, because {parent} is not a section")
        node = child
    node[last] = value
