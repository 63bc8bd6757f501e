"""The syntax of data paths: URIs, patterns and dated spans. No file is opened."""

from __future__ import annotations

import glob
import os
import re

SPAN_PARTS = {"{YYYY}": ("year", 4), "{MM}": ("month", 2), "{DD}": ("day", 2)}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# A leading ] belongs to the set, as in fnmatch: []a] matches ] or a.
_PATTERN_PARTS = re.compile(r"\{YYYY\}|\{MM\}|\{DD\}|\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)


def is_uri(path: str) -> bool:
    """Returns whether a path is a URI, such as `gs://bucket/key`."""
    return "://" in path


def has_spans(path: str) -> bool:
    """Returns whether a path has the placeholders of dated spans."""
    return any(part in path for part in SPAN_PARTS)


def check_path(path: str) -> None:
    """Refuses a data path that can never match a file.

    Raises:
      ValueError: The path is empty, has a NUL character, or is not a valid pattern.
    """
    if not path.strip():
        raise ValueError("expected a path, got an empty one")
    if "\0" in path:
        raise ValueError("expected a path without NUL characters")
    placeholders = _PLACEHOLDER.findall(path)
    unknown = [part for part in placeholders if part not in SPAN_PARTS]
    if unknown:
        raise ValueError(
            f"unknown placeholder {unknown[0]} in {path!r}; dated spans consist of {{YYYY}}, {{MM}} and {{DD}}"
        )
    if placeholders and sorted(placeholders) != sorted(SPAN_PARTS):
        raise ValueError(f"expected {{YYYY}}, {{MM}} and {{DD}} once each in {path!r}, got {', '.join(placeholders)}")
    try:
        compile_pattern(path)
    except re.error as error:
        raise ValueError(f"expected a pattern of *, ?, [...] and **, got {path!r} ({error.msg})") from None


def full_path(path: str, data_root: str | os.PathLike[str]) -> str:
    """Returns the absolute path or URI of a data path; relative paths start at the data root."""
    if is_uri(path) or os.path.isabs(path):
        return path
    return join(os.fspath(data_root), path)


def join(folder: str, name: str) -> str:
    """Returns the path of a name below a folder; either may be empty."""
    if not folder or not name:
        return folder or name
    return folder + name if folder.endswith("/") else f"{folder}/{name}"


def is_wild(part: str) -> bool:
    """Returns whether one part of a path can match several names."""
    return glob.has_magic(part) or has_spans(part)


def compile_pattern(pattern: str, end: str = "") -> re.Pattern[str]:
    """Returns the regular expression of a pattern, with the groups year, month and day."""
    return re.compile("".join(map(_part_expression, _PATTERN_PARTS.findall(pattern))) + end, re.DOTALL)


def _part_expression(part: str) -> str:
    if part in SPAN_PARTS:
        name, digits = SPAN_PARTS[part]
        return f"(?P<{name}>[0-9]{{{digits}}})"
    if len(part) > 1 and part.startswith("["):
        characters = re.sub(r"([^\w-])", r"\\\1", part[1:-1].removeprefix("!"))
        return f"[^/{characters}]" if part.startswith("[!") else f"[{characters}]"
    return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
