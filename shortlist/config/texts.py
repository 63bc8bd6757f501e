"""Characters that no file name, database or protocol buffer takes, found before a run begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_UNUSABLE = re.compile("[\0\ud800-\udfff]")


class UnusableText(NamedTuple):
    """A key or a value with such a character."""

    path: str
    """Dotted path of the key, with the characters escaped."""
    value: str


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
        if isinstance(value, str) and not is_usable(value):
            return UnusableText(path, value)
        if not isinstance(value, Mapping | list | tuple) or id(value) in visited:
            continue
        visited.add(id(value))
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, child in items:
            name = f"{path}.{_escaped(key)}" if path else _escaped(key)
            if isinstance(key, str) and not is_usable(key):
                return UnusableText(name, key)
            waiting.append((name, child))
    return None


def _escaped(key: object) -> str:
    return key if isinstance(key, str) and is_usable(key) else ascii(key)
