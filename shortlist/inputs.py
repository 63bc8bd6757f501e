"""Finds the files of a data path: a file, a folder, a pattern or dated spans, here or at any URI that Beam opens."""

from __future__ import annotations

import dataclasses
import datetime
import glob
import os
import pathlib
import posixpath
import re
from collections.abc import Iterable
from typing import BinaryIO, cast

_SPAN_PARTS = {"{YYYY}": ("year", 4), "{MM}": ("month", 2), "{DD}": ("day", 2)}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# What an editor, an engine or a file system leaves beside data.
_NOT_DATA = (".", "_")


@dataclasses.dataclass(frozen=True)
class InputFile:
    """One file of a table."""

    name: str
    """Relative to the data root, with `/`: the second key of the order, and what errors call it."""

    path: str
    """Where it can be opened: a local path or a URI."""

    size: int
    """Bytes."""

    span: datetime.date | None = None
    """The date in its path, where the data path has {YYYY}, {MM} and {DD}."""

    def open(self) -> BinaryIO:
        """Opens the file for reading bytes, seekable, not decompressed."""
        if not is_uri(self.path):
            return open(self.path, "rb")
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        opened = FileSystems.open(self.path, compression_type=CompressionTypes.UNCOMPRESSED)
        return cast(BinaryIO, opened)


def is_uri(path: str) -> bool:
    """Returns whether a path names another file system, `gs://bucket/key`."""
    return "://" in path


def has_spans(path: str) -> bool:
    """Returns whether a path has the placeholders of dated spans."""
    return any(part in path for part in _SPAN_PARTS)


def check_path(path: str) -> None:
    """Refuses a data path that can never name a file.

    Raises:
      ValueError: Says what is wrong with it.
    """
    if not path.strip():
        raise ValueError("expected a path, got an empty one")
    if "\0" in path:
        raise ValueError("expected a path without NUL characters")
    placeholders = _PLACEHOLDER.findall(path)
    unknown = [part for part in placeholders if part not in _SPAN_PARTS]
    if unknown:
        raise ValueError(f"unknown placeholder {unknown[0]} in {path!r}; dated spans are {{YYYY}}, {{MM}} and {{DD}}")
    if placeholders and sorted(placeholders) != sorted(_SPAN_PARTS):
        raise ValueError(f"expected {{YYYY}}, {{MM}} and {{DD}} once each in {path!r}, got {', '.join(placeholders)}")


def full_path(path: str, data_root: str | os.PathLike[str]) -> str:
    """Returns a data path of the config where it really is; a relative one starts at the data root."""
    root = os.fspath(data_root)
    if is_uri(path) or os.path.isabs(path):
        return path
    return posixpath.join(root, path) if is_uri(root) else os.path.join(root, path)


def find(path: str, data_root: str | os.PathLike[str], last_spans: int | None = None) -> list[InputFile]:
    """Returns the files that a data path names, sorted by name; none where there is none.

    A folder stands for all files below it, apart from those whose name, or a folder on the way, begins with `.` or `_`.

    Args:
      path: As the config has it.
      data_root: Where a relative path starts; may be a URI.
      last_spans: Only files of the newest this many dates.

    Raises:
      OSError: A file system cannot be listed.
      ValueError: Nothing here can open this kind of URI.
    """
    full = full_path(path, data_root)
    base = _base(path, full, data_root)
    found = _found_at_uri(full) if is_uri(full) else _found_here(full)
    files = [InputFile(_relative(file, base), file, size) for file, size in found]
    if has_spans(full):
        files = _dated(files, full)
        if last_spans is not None:
            newest = sorted({file.span for file in files if file.span})[-last_spans:]
            files = [file for file in files if file.span in newest]
    return sorted(files, key=lambda file: file.name)


def pattern_of(path: str) -> str:
    """Returns the pattern that covers all spans of a path."""
    for placeholder, (_, digits) in _SPAN_PARTS.items():
        path = path.replace(placeholder, "[0-9]" * digits)
    return path


def _base(path: str, full: str, data_root: str | os.PathLike[str]) -> str:
    """Returns the folder that names are relative to: the data root, so that a moved root changes no order.

    A path outside of it has its own folder for a root.
    """
    if not is_uri(path) and not os.path.isabs(path):
        return os.fspath(data_root)
    if not is_uri(full) and os.path.isdir(full):
        return full
    folder = pattern_of(full)
    while folder == pattern_of(full) or glob.has_magic(folder):
        folder = posixpath.dirname(folder)
    return folder


def _relative(file: str, base: str) -> str:
    if is_uri(file):
        return file.removeprefix(base).lstrip("/")
    return pathlib.Path(os.path.relpath(file, base)).as_posix()


def _found_here(full: str) -> Iterable[tuple[str, int]]:
    if os.path.isfile(full):
        return [(full, os.path.getsize(full))]
    if os.path.isdir(full):
        return _below(full)
    matches = sorted(glob.glob(pattern_of(full)))
    found = []
    for match in matches:
        found += _below(match) if os.path.isdir(match) else [(match, os.path.getsize(match))]
    return found


def _below(folder: str) -> list[tuple[str, int]]:
    found = []
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(_NOT_DATA))
        for name in sorted(names):
            if not name.startswith(_NOT_DATA):
                file = os.path.join(directory, name)
                found.append((file, os.path.getsize(file)))
    return found


def _found_at_uri(full: str) -> Iterable[tuple[str, int]]:
    from apache_beam.io.filesystems import FileSystems  # Seconds to import, and local files do without.

    pattern = pattern_of(full)
    patterns = [pattern] if glob.has_magic(pattern) else [pattern, pattern.rstrip("/") + "/**"]
    for candidate in patterns:
        [match] = FileSystems.match([candidate])
        metadata = [one for one in match.metadata_list if not _is_hidden(one.path, full)]
        if metadata:
            return [(one.path, int(one.size_in_bytes)) for one in metadata if not one.path.endswith("/")]
    return []


def _is_hidden(path: str, full: str) -> bool:
    below = path.removeprefix(full.rstrip("/")) if path.startswith(full.rstrip("/")) else posixpath.basename(path)
    return any(part.startswith(_NOT_DATA) for part in below.split("/") if part)


def _dated(files: Iterable[InputFile], full: str) -> list[InputFile]:
    """Returns the files whose path really has a date at the placeholders, with it."""
    parts = re.split(r"(\{YYYY\}|\{MM\}|\{DD\}|\*\*|\*|\?)", full)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(
        f"(?P<{_SPAN_PARTS[part][0]}>[0-9]{{{_SPAN_PARTS[part][1]}}})"
        if part in _SPAN_PARTS
        else wild.get(part, re.escape(part))
        for part in parts
    )
    dated = []
    for file in files:
        match = re.match(expression, file.path)
        if match is None:
            continue
        try:
            span = datetime.date(*(int(match[part]) for part in ("year", "month", "day")))
        except ValueError:
            continue
        dated.append(dataclasses.replace(file, span=span))
    return dated
