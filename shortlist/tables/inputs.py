"""Search for the files of a data path: a file, a folder, a pattern or dated spans, local or at a URI."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import glob
import itertools
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from shortlist.config import paths
from shortlist.errors import DataError
from shortlist.tables import remote_files

_PLAIN = re.compile(r"[^*?\[{]*")
# Names of files that editors, engines and file systems leave beside data, such as _SUCCESS.
_NOT_DATA = (".", "_")


@dataclasses.dataclass(frozen=True)
class InputFile:
    """One file of a table."""

    name: str
    """Path relative to the data root, with `/`. It orders rows with the same timestamp, and is the name in errors."""

    path: str
    """Local path or URI."""

    size: int
    """Size in bytes."""

    span: datetime.date | None = None
    """Date in the file's path if the data path has {YYYY}, {MM} and {DD}."""

    def open(self) -> BinaryIO:
        """Opens the file for reading bytes, seekable, not decompressed.

        Raises:
          OSError: The file no longer exists, or cannot be read.
        """
        if not paths.is_uri(self.path):
            return open(self.path, "rb")
        return remote_files.open_for_reading(self.path)


def find(path: str, data_root: str | os.PathLike[str], last_spans: int | None = None) -> list[InputFile]:
    """Returns the files of a data path, sorted by name; an empty list if there are none.

    A folder means all files below it, also if a pattern matches the folder. `**` matches any number of folders. Files
    and folders whose names begin with `.` or `_` are left out, except if the path spells this character. A file with
    several links is read once.

    Args:
      path: Path as in the config.
      data_root: Start of relative paths; may be a URI.
      last_spans: Number of newest dates; files of older dates are left out.

    Raises:
      DataError: A file system cannot be listed, or no file system here supports the URI.
    """
    folder, pattern = _folder_and_pattern(path, data_root)
    path_pattern = _PathPattern(pattern)
    try:
        files = list(_matching_files(path, folder, path_pattern))
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        raise DataError.from_parts(
            path,
            "files that can be listed",
            f"{error.strerror}{where}",
            "check the permissions, and remove broken links",
        ) from None
    if last_spans is not None:
        newest = sorted({file.span for file in files if file.span})[-last_spans:]
        files = [file for file in files if file.span in newest]
    for file in files:
        _check_name(file.name)
    return sorted(files, key=lambda file: file.name)


class _PathPattern:
    """Matches file names, relative to the start folder of the pattern."""

    def __init__(self, pattern: str):
        self._parts = pattern.split("/")
        self._spelled = [part for part in self._parts if part.startswith(_NOT_DATA)]
        self._has_spans = paths.has_spans(pattern)
        self._expression = paths.compile_pattern(pattern, "(?:/.*)?")
        self._part_expressions = [paths.compile_pattern(part) for part in self._parts]
        plain_parts = list(itertools.takewhile(lambda part: not paths.is_wild(part), self._parts))
        self.plain = "/".join(plain_parts)
        """The path before the first part with a wildcard."""
        self.is_plain = len(plain_parts) == len(self._parts)
        first_wild = [*self._parts, ""][len(plain_parts)]
        self.plain_head = _PLAIN.match(first_wild)[0]  # type: ignore[index]
        """The plain beginning of the first part with a wildcard."""

    def matches(self, name: str) -> bool:
        """Returns whether a file's name matches the pattern."""
        if self._expression.fullmatch(name) is None or any(map(self._is_hidden, name.split("/"))):
            return False
        return not self._has_spans or self.span(name) is not None

    def span(self, name: str) -> datetime.date | None:
        """Returns the date in a file's name; None if there is none, or the date does not exist."""
        match = self._expression.fullmatch(name)
        if match is None or not self._has_spans:
            return None
        try:
            return datetime.date(int(match["year"]), int(match["month"]), int(match["day"]))
        except ValueError:
            return None

    def may_be_below(self, name: str) -> bool:
        """Returns whether a folder may contain matching files."""
        parts = name.split("/")
        if any(map(self._is_hidden, parts)):
            return False
        for part, spelling, expression in zip(parts, self._parts, self._part_expressions, strict=False):
            if "**" in spelling:
                return True
            if expression.fullmatch(part) is None:
                return False
        return True

    def _is_hidden(self, part: str) -> bool:
        return part.startswith(_NOT_DATA) and not any(fnmatch.fnmatchcase(part, spelled) for spelled in self._spelled)


def _folder_and_pattern(path: str, data_root: str | os.PathLike[str]) -> tuple[str, str]:
    """Returns the folder that names are relative to, and the pattern below it.

    For paths below the data root, the folder is the data root. Moving the root then changes neither names nor order.
    """
    root = os.fspath(data_root)
    root = root.rstrip("/") or root
    if paths.is_uri(path):
        scheme, _, rest = path.partition("://")
        bucket, _, key = rest.rstrip("/").partition("/")
        folder, pattern = _own_folder(key)
        return paths.join(f"{scheme}://{bucket}", folder), pattern or "**"
    pattern = posixpath.normpath(path)
    if pattern == ".":
        return root, "**"
    if paths.is_uri(root):
        return root, pattern
    if os.path.isabs(path):
        split = os.path.split if os.path.lexists(pattern) else _own_folder
        root, pattern = split(pattern)
    # An existing file may have wildcard characters in its name.
    if os.path.lexists(os.path.join(root, pattern)):
        pattern = glob.escape(pattern)
    return root, pattern


def _own_folder(path: str) -> tuple[str, str]:
    """Splits a path before its first part with a wildcard, or else before its last part."""
    parts = path.split("/")
    cut = next((index for index, part in enumerate(parts) if paths.is_wild(part)), len(parts) - 1)
    return "/".join(parts[:cut]), "/".join(parts[cut:])


def _matching_files(path: str, folder: str, path_pattern: _PathPattern) -> Iterator[InputFile]:
    if paths.is_uri(folder):
        return _files_at_uri(path, folder, path_pattern)
    return _files_here(folder, path_pattern)


def _files_here(folder: str, path_pattern: _PathPattern) -> Iterator[InputFile]:
    start = os.path.join(folder, path_pattern.plain)
    if not os.path.isdir(start):
        if path_pattern.is_plain and os.path.isfile(start):
            yield InputFile(path_pattern.plain, start, os.path.getsize(start))
        return
    # Real paths, because links may form a cycle or lead to one file twice.
    seen = {os.path.realpath(start)}

    def is_new(path: str) -> bool:
        real = os.path.realpath(path)
        new = real not in seen
        seen.add(real)
        return new

    for directory, folders, names in os.walk(start, onerror=_raise, followlinks=True):
        relative = paths.join(path_pattern.plain, directory.removeprefix(start).strip("/"))
        folders[:] = [
            name
            for name in sorted(folders)
            if path_pattern.may_be_below(paths.join(relative, name)) and is_new(os.path.join(directory, name))
        ]
        for name in sorted(names):
            file, path = paths.join(relative, name), os.path.join(directory, name)
            if path_pattern.matches(file) and is_new(path) and stat.S_ISREG((status := os.stat(path)).st_mode):
                yield InputFile(file, path, status.st_size, path_pattern.span(file))


def _raise(error: OSError) -> NoReturn:
    raise error


def _files_at_uri(path: str, folder: str, path_pattern: _PathPattern) -> Iterator[InputFile]:
    start = paths.join(folder, path_pattern.plain)
    listing = remote_files.list_files(path, start, path_pattern.plain_head, maybe_a_file=path_pattern.is_plain)
    for uri, size in listing:
        name = uri.removeprefix(folder).lstrip("/")
        # Object stores mark an empty folder with an object whose name ends in a slash.
        if path_pattern.matches(name) and not name.endswith("/"):
            yield InputFile(name, uri, size, path_pattern.span(name))


def _check_name(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError.from_parts(repr(name), "a file name in UTF-8", "other bytes", "rename the file") from None
