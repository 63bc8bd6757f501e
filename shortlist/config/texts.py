"""Texts that no file name, database or protocol buffer takes, found before a run begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_UNUSABLE = re.compile("[\0\ud800-\udfff]")
# Filters are the longest texts. ML Metadata stores them, and errors repeat keys.
_MAX_TEXT, _MAX_KEY = 100_000, 1_000


class UnusableText(NamedTuple):
    """A key or a value that cannot be stored."""

    path: str
    """Dotted path of the key, with such characters escaped."""
    value: str
    expected: str


def is_usable(text: str) -> bool:
    """Returns whether a text has neither NUL characters nor halves of characters (lone surrogates).

    YAML can write both, by escapes in quotes. Python also represents bytes of the command line and of the environment
    that are not UTF-8 as halves of characters.
    """
    return not _UNUSABLE.search(text)


def first_unusable(raw: object) -> UnusableText | None:
    """Returns an unusable text of a config, its keys included; None if there is none.

    Args:
      raw: The config file as a dict. Parts that occur several times, by aliases, are visited once.
    """
    visited: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", raw)]
    while waiting:
        path, value = waiting.pop()
        expected = _refusal(value, "text", _MAX_TEXT)
        if expected:
            return UnusableText(path, str(value), expected)
        if not isinstance(value, Mapping | list | tuple) or id(value) in visited:
            continue
        visited.add(id(value))
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, child in items:
            name = f"{path}.{_escaped(key)}" if path else _escaped(key)
            expected = _refusal(key, "keys", _MAX_KEY)
            if expected:
                return UnusableText(path or "top", str(key), expected)
            waiting.append((name, child))
    return None


def _refusal(text: object, noun: str, max_length: int) -> str:
    """Returns what is expected instead of an unusable text; empty for others and for other values."""
    if not isinstance(text, str):
        return ""
    if not is_usable(text):
        return f"{noun} without NUL characters and without halves of characters (lone surrogates)"
    return f"{noun} of at most {max_length:,} characters" if len(text) > max_length else ""


def _escaped(key: object) -> str:
    return key if isinstance(key, str) and is_usable(key) else ascii(key)
