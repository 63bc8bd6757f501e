"""The syntax of data paths: URIs, patterns and dated spans. No file is opened."""

from __future__ import annotations

import glob
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from shortlist.errors import ConfigError
from shortlist.quoting import short_repr

_T = TypeVar("_T")

SPAN_PARTS = {"{YYYY}": ("year", 4), "{MM}": ("month", 2), "{DD}": ("day", 2)}
PATTERN_CHARACTERS = "*?[\\"
"""Characters that TFX, Beam or TensorFlow do not take as they are in the path of an artifact."""
# Unicode categories of control characters and of surrogates, which stand for bytes that are not UTF-8.
_NOT_TEXT = ("Cc", "Cs")
# One letter and a colon is no scheme.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# `**/` is any number of folders, where a folder can begin. A leading ] belongs to the set, as in fnmatch: []a] matches
# ] or a.
_PATTERN_PARTS = re.compile(r"\{YYYY\}|\{MM\}|\{DD\}|(?<![^/])\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", re.DOTALL)
_STARS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
_LAZY_STARS = {"**/": "(?:|.*?/)", "**": ".*?", "*": "[^/]*?"}
# The longest path of Linux.
_MAX_CHARACTERS = 4096


def is_uri(path: str) -> bool:
    """Returns whether a path is a URI, such as `gs://bucket/key`."""
    return "://" in path


def local_folder(path: str) -> str:
    """Returns the path of a folder on this machine unchanged; refuses a URI, which would become a folder `gs:`.

    Raises:
      ValueError: The path begins with a scheme, such as `gs://` or `file:/`.
    """
    if _SCHEME.match(path):
        raise ValueError(
            f"expected a folder on this machine, got the URI {short_repr(path)}; mount the bucket and name its path"
        )
    return path


def check_no_pattern(workspace: str | os.PathLike[str]) -> None:
    """Refuses a workspace that TFX, Beam or TensorFlow would take for a pattern: they would read other folders' files.

    Args:
      workspace: Path of the workspace; a relative one starts at the working directory, which counts, too.

    Raises:
      ConfigError: The absolute path has such a character, a control character, or bytes that are not UTF-8.
    """
    path = os.path.abspath(workspace)
    found = next((character for character in path if character in PATTERN_CHARACTERS), None)
    if found is None:
        found = next((character for character in path if unicodedata.category(character) in _NOT_TEXT), None)
    if found is not None:
        raise ConfigError.from_parts(
            "workspace",
            f"a path without {' '.join(PATTERN_CHARACTERS)}, control characters and broken characters",
            f"{found!r} in {short_repr(path)}",
            "TFX would read such a path as a pattern; rename the folder, or set `workspace` to another one",
        )


def has_spans(path: str) -> bool:
    """Returns whether a path has the placeholders of dated spans."""
    return any(part in path for part in SPAN_PARTS)


def check_path(path: str) -> None:
    """Refuses a data path that can never match a file.

    Raises:
      ValueError: The path is empty, has a control character, or is not a valid pattern.
    """
    if not path.strip():
        raise ValueError("expected a path, got an empty one")
    if any(unicodedata.category(character) == "Cc" for character in path):
        raise ValueError("expected a path without control characters, such as line ends")
    if len(path) > _MAX_CHARACTERS:
        raise ValueError(f"expected a path of at most {_MAX_CHARACTERS:,} characters, got {len(path):,}")
    placeholders = _PLACEHOLDER.findall(path)
    unknown = [part for part in placeholders if part not in SPAN_PARTS]
    if unknown:
        raise ValueError(
            f"unknown placeholder {unknown[0][:60]} in {short_repr(path)}; "
            "dated spans consist of {YYYY}, {MM} and {DD}"
        )
    if placeholders and sorted(placeholders) != sorted(SPAN_PARTS):
        raise ValueError(
            f"expected {{YYYY}}, {{MM}} and {{DD}} once each in {short_repr(path)}, got {', '.join(placeholders)}"
        )
    try:
        compile_pattern(path)
    except re.error as error:
        raise ValueError(f"expected a pattern of *, ?, [...] and **, got {short_repr(path)} ({error.msg})") from None


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
    """Returns the regular expression of a pattern, with the groups year, month and day.

    The time of a match is bounded whatever the number of stars. Each star but the last takes as little as possible,
    together with what follows it until the next star, and is not tried again: an earlier end leaves every later match
    possible. `fnmatch` does the same. If a path has several dates, the last star decides which one is read.

    Args:
      pattern: The pattern of a path.
      end: A regular expression for what may follow the pattern's match.
    """
    parts = _PATTERN_PARTS.findall(pattern)
    # Stars of any number of folders divide the pattern; within these segments are the stars of one folder.
    starts = [0, *(index for index, part in enumerate(parts) if part.startswith("**")), len(parts)]
    segments = [parts[start:stop] for start, stop in itertools.pairwise(starts)]
    numbers = itertools.count()
    *first, last = (_segment(segment, is_last, numbers) for segment, is_last in _with_last(segments))
    return re.compile("".join(_committed(segment, numbers) for segment in first) + last + end, re.DOTALL)


def _segment(parts: Sequence[str], is_last: bool, numbers: Iterator[int]) -> str:
    """Returns the expression of parts of which only the first can match any number of folders."""
    expression = ""
    if parts and parts[0].startswith("**"):
        expression, parts = (_STARS if is_last else _LAZY_STARS)[parts[0]], parts[1:]
    for is_slash, folder in itertools.groupby(parts, key=lambda part: part == "/"):
        if is_slash:
            expression += "/" * len(list(folder))
            continue
        plain, *starred = _split_at_stars(folder)
        expression += plain
        for rest, is_last_star in _with_last(starred):
            if is_last_star:
                expression += (_STARS if is_last else _LAZY_STARS)["*"] + rest
            else:
                expression += _committed(_LAZY_STARS["*"] + rest, numbers)
    return expression


def _split_at_stars(parts: Iterable[str]) -> list[str]:
    """Returns the expressions between the stars of one folder's name."""
    pieces = [""]
    for part in parts:
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += _part_expression(part)
    return pieces


def _with_last(items: Sequence[_T]) -> Iterator[tuple[_T, bool]]:
    return ((item, number == len(items)) for number, item in enumerate(items, start=1))


def _committed(expression: str, numbers: Iterator[int]) -> str:
    """Returns an expression whose first match is not tried again; Python has no atomic groups before 3.11."""
    name = f"committed{next(numbers)}"
    return f"(?=(?P<{name}>{expression}))(?P={name})"


def _part_expression(part: str) -> str:
    if part in SPAN_PARTS:
        name, digits = SPAN_PARTS[part]
        return f"(?P<{name}>[0-9]{{{digits}}})"
    if len(part) > 1 and part.startswith("["):
        characters = re.sub(r"([^\w-])", r"\\\1", part[1:-1].removeprefix("!"))
        return f"[^/{characters}]" if part.startswith("[!") else f"(?!/)[{characters}]"
    return {"?": "[^/]"}.get(part, re.escape(part))
