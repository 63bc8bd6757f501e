"""Manifests of artifacts: names, sizes and content of their files, to find damage before an artifact is used.

A node's outputs get a manifest when they are published. The cache and the comparisons with an earlier run check it, so
that a missing, truncated or altered file leads to a new artifact instead of an error in every later run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

FULL_BYTES = 16 * 2**20
"""The content of a file up to this size is compared in full."""
SAMPLES = 16
"""Number of evenly spaced blocks of `BLOCK_BYTES` that are compared in a larger file, with the first and the last."""
BLOCK_BYTES = 2**20

# A manifest with a line per file would be too large for ML Metadata above this number.
_MAX_LISTED = 256
# Hexadecimal digits. This finds damage; it does not defend against a forger.
_DIGITS = 16
_ALL = "*"


class _File(NamedTuple):
    """One file, as the manifest lists it."""

    size: int
    digest: str


def manifest(folder: str) -> str:
    """Returns the names, sizes and digests of all files below a local folder, as JSON.

    The digest covers the whole content of a file up to `FULL_BYTES`, and `SAMPLES` blocks of a larger one. Modification
    times do not count. Empty folders do not count.

    Args:
      folder: The artifact's folder. An absent one has no files.

    Raises:
      OSError: A file cannot be read.
    """
    files = {name: _File(os.path.getsize(path), _digest(path)) for name, path in _files_below(folder)}
    if len(files) > _MAX_LISTED:
        files = {_ALL: _combined(files)}
    return json.dumps(files, sort_keys=True, separators=(",", ":"))


def damage(folder: str, recorded: str) -> str | None:
    """Returns the first difference of a folder from its manifest, "saved_model.pb is missing"; None if there is none.

    Names and sizes are compared before content is read.

    Args:
      folder: The artifact's folder.
      recorded: The result of `manifest`; an empty text, which older versions recorded, is not compared.
    """
    if not recorded:
        return None
    if not os.path.isdir(folder):
        return "its folder is missing"
    expected = {name: _File(*values) for name, values in json.loads(recorded).items()}
    try:
        found = dict(_files_below(folder))
        if _ALL in expected:
            return _combined_damage(expected[_ALL], found)
        return _damage_by_name(expected, found)
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror})"


def _damage_by_name(expected: dict[str, _File], found: dict[str, str]) -> str | None:
    for name in sorted(expected.keys() - found.keys()):
        return f"{name} is missing"
    for name in sorted(found.keys() - expected.keys()):
        return f"{name} was added"
    for name, file in expected.items():
        size = os.path.getsize(found[name])
        if size != file.size:
            return f"{name} has {size:,} bytes instead of {file.size:,}"
    for name, file in expected.items():
        if _digest(found[name]) != file.digest:
            return f"the content of {name} was altered"
    return None


def _combined_damage(expected: _File, found: dict[str, str]) -> str | None:
    sizes = {name: os.path.getsize(path) for name, path in found.items()}
    if sum(sizes.values()) == expected.size:
        files = {name: _File(sizes[name], _digest(path)) for name, path in found.items()}
        if _combined(files) == expected:
            return None
    return "its files differ from those that were recorded"


def _combined(files: dict[str, _File]) -> _File:
    lines = json.dumps(files, sort_keys=True)
    return _File(sum(file.size for file in files.values()), hashlib.sha256(lines.encode()).hexdigest()[:_DIGITS])


def _files_below(folder: str) -> Iterator[tuple[str, str]]:
    """Yields the relative name, with `/`, and the path of each file."""
    for parent, _, names in os.walk(folder, onerror=_raise):
        for name in names:
            path = os.path.join(parent, name)
            yield os.path.relpath(path, folder).replace(os.sep, "/"), path


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in _block_starts(size):
            file.seek(start)
            digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()[:_DIGITS]


def _block_starts(size: int) -> list[int]:
    if size <= FULL_BYTES:
        return list(range(0, size, BLOCK_BYTES))
    last = size - BLOCK_BYTES
    return [last * sample // (SAMPLES - 1) for sample in range(SAMPLES)]
