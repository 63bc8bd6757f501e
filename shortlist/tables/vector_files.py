"""Vectors in a file of their own: a matrix of NumPy's format `.npy`, and a text file with the id of each of its rows.

The matrix is memory-mapped: a worker holds the pages of the rows that it reads, which the system can drop. Of the ids
it holds 16 bytes each, a hash and a row number.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.config import paths
from shortlist.errors import DataError
from shortlist.quoting import short_repr
from shortlist.tables.spec import VectorFile

_HASH_BYTES = 8
_BATCH = 100_000
_MAX_LINE = 10_000


class Vectors:
    """The rows of a matrix by id."""

    def __init__(self, matrix: npt.NDArray[Any], hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]):
        """Takes a matrix, the sorted hashes of the ids, and the row of each."""
        self._matrix = matrix
        self._hashes = hashes
        self._rows = rows

    def find(self, item: str) -> tuple[int, list[float]] | None:
        """Returns the row number and the vector of an id; None for an id that has none."""
        wanted = np.frombuffer(_hash(item.encode()), np.uint64)[0]
        place = int(np.searchsorted(self._hashes, wanted))
        if place == len(self._hashes) or self._hashes[place] != wanted:
            return None
        row = int(self._rows[place])
        # A float64 beyond float32 becomes infinite, which the parser refuses.
        with np.errstate(over="ignore"):
            return row, np.asarray(self._matrix[row], np.float32).tolist()


def read(file: VectorFile, dim: int, key: str) -> Vectors:
    """Returns the vectors of a file; a process reads the ids once.

    Args:
      file: Absolute locations.
      dim: Number of values of each vector.
      key: The feature's key in the config, for messages.

    Raises:
      DataError: A file cannot be read, is no such file, or the two do not fit each other or the config.
    """
    versions = tuple((status.st_mtime_ns, status.st_size) for status in map(_status, (file.path, file.ids)))
    return _read(file, dim, key, versions)


@functools.lru_cache(maxsize=8)
def _read(file: VectorFile, dim: int, key: str, versions: tuple[tuple[int, int], ...]) -> Vectors:
    del versions  # Another version of a file is another entry of the cache.
    matrix = _matrix(file.path, dim, key)
    hashes = _hashes(file.ids, len(matrix), file.path)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(same):
        first, second = int(order[same[0]]), int(order[same[0] + 1])
        item = next(item for number, item in enumerate(_ids(file.ids)) if number == second)
        raise DataError.from_parts(
            f"{file.ids}, line {second + 1:,}",
            "each id once",
            f"{short_repr(item)}, which line {first + 1:,} has, too",
            f"remove one of the lines and its row of {file.path}",
        )
    return Vectors(matrix, ordered, order)


def _matrix(path: str, dim: int, key: str) -> npt.NDArray[Any]:
    try:
        # Unlike numpy.load, it never reads pickles.
        matrix: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")  # type: ignore[no-untyped-call]
    except (ValueError, EOFError) as error:
        raise DataError.from_reason(
            path, "a matrix in NumPy's format .npy", error, "write it with numpy.save, as float32"
        ) from None
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        got = f"shape {matrix.shape} of type {matrix.dtype}"
        raise DataError.from_parts(path, "a matrix of floats, one row per id", got, "write it as float32")
    if matrix.shape[1] != dim:
        raise DataError.from_parts(
            path, f"{dim:,} columns, as in {key}.dim", f"{matrix.shape[1]:,}", f"set {key}.dim to {matrix.shape[1]}"
        )
    return matrix


def _hashes(path: str, num_rows: int, matrix_path: str) -> npt.NDArray[np.uint64]:
    """Returns the hash of each id, in the order of the file."""
    parts: list[npt.NDArray[np.uint64]] = []
    batch: list[str] = []

    def add(items: Sequence[str]) -> None:
        parts.append(np.frombuffer(b"".join(_hash(item.encode()) for item in items), np.uint64))

    for item in _ids(path):
        batch.append(item)
        if len(batch) == _BATCH:
            add(batch)
            batch = []
    add(batch)
    hashes = np.concatenate(parts)
    if len(hashes) != num_rows:
        raise DataError.from_parts(
            path, f"{num_rows:,} ids, one per row of {matrix_path}", f"{len(hashes):,}", "write both files anew"
        )
    return hashes


def _ids(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_MAX_LINE), ""), start=1):
                item = line.removesuffix("\n").removesuffix("\r")
                if not item.strip():
                    raise DataError.from_parts(f"{path}, line {number:,}", "an id", "a blank", "write one id per line")
                yield item
    except UnicodeDecodeError:
        raise DataError.from_parts(
            path, "ids in UTF-8, one per line", "other bytes", "write the file as UTF-8"
        ) from None


def _hash(item: bytes) -> bytes:
    return hashlib.blake2b(item, digest_size=_HASH_BYTES).digest()


def _status(path: str) -> os.stat_result:
    if paths.is_uri(path):
        raise DataError.from_parts(
            path, "a file of this machine, which can be memory-mapped", "a URI", "copy it, or mount the bucket"
        )
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno())
    except OSError as error:
        raise DataError.from_reason(path, "a readable file", error.strerror or error, "correct the path") from None
