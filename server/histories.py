"""Histories of known queries, from a table of interactions: in memory, or in a temporary sqlite file if it is large."""

from __future__ import annotations

import bisect
import contextlib
import pathlib
import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from shortlist import keys
from shortlist.errors import BadInputError

_COLUMNS = [keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP]
_BATCH = 65_536
_MAX_TIME = 2**63 - 1

Event = tuple[str, int]
"""Candidate id and time, seconds since 1970 or an order number."""

Row = tuple[str, str, int]
"""Query id, candidate id and time."""


class Histories(Protocol):
    """Histories by query. `find` can be called from several threads."""

    def find(self, query_id: str, before: int) -> list[Event] | None:
        """Returns the events of a query before a time, oldest first; None for an unknown query."""

    def close(self) -> None:
        """Frees what the histories take."""


class MemoryHistories:
    """Histories in memory: 16 bytes per interaction, and the ids."""

    def __init__(self, rows: Iterable[Row]) -> None:
        queries: dict[str, int] = {}
        candidates: dict[str, int] = {}
        numbers = np.fromiter(
            (
                value
                for query, candidate, time in rows
                for value in (
                    queries.setdefault(query, len(queries)),
                    candidates.setdefault(candidate, len(candidates)),
                    time,
                )
            ),
            np.int64,
        ).reshape(-1, 3)
        # By query, then by time; rows of one time stay in the order of the table.
        numbers = numbers[np.lexsort((np.arange(len(numbers)), numbers[:, 2], numbers[:, 0]))]
        self._starts = np.searchsorted(numbers[:, 0], np.arange(len(queries) + 1))
        self._candidates = numbers[:, 1].astype(np.int32)
        self._times = numbers[:, 2].copy()
        self._queries, self._ids = queries, list(candidates)

    def find(self, query_id: str, before: int) -> list[Event] | None:
        """Returns the events of a query before a time, oldest first; None for an unknown query."""
        number = self._queries.get(query_id)
        if number is None:
            return None
        start, end = int(self._starts[number]), int(self._starts[number + 1])
        times = self._times[start:end].tolist()
        end = bisect.bisect_left(times, before)
        found = self._candidates[start : start + end].tolist()
        return [(self._ids[candidate], time) for candidate, time in zip(found, times, strict=False)]

    def close(self) -> None:
        """Nothing to free."""


class SqliteHistories:
    """Histories in a temporary file, which is deleted at the end."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="shortlist-histories-")
        self._path = str(pathlib.Path(self._folder.name) / "histories.sqlite")
        self._threads = threading.local()
        with contextlib.closing(sqlite3.connect(self._path)) as store, store:
            store.execute("CREATE TABLE events (query TEXT, time INTEGER, candidate TEXT)")
            store.executemany(
                "INSERT INTO events VALUES (?, ?, ?)", ((query, time, candidate) for query, candidate, time in rows)
            )
            store.execute("CREATE INDEX by_query ON events (query, time)")

    def find(self, query_id: str, before: int) -> list[Event] | None:
        """Returns the events of a query before a time, oldest first; None for an unknown query."""
        store = getattr(self._threads, "store", None)
        if store is None:
            store = self._threads.store = sqlite3.connect(self._path)
        found = store.execute(
            "SELECT candidate, time FROM events WHERE query = ? AND time < ? ORDER BY time, rowid", (query_id, before)
        ).fetchall()
        if not found and not store.execute("SELECT 1 FROM events WHERE query = ? LIMIT 1", (query_id,)).fetchone():
            return None
        return [(str(candidate), int(time)) for candidate, time in found]

    def close(self) -> None:
        """Deletes the file."""
        self._folder.cleanup()


def read(path: pathlib.Path, memory_mb: int) -> Histories:
    """Reads a Parquet file with `query_id`, `candidate_id` and `timestamp`, one row per interaction.

    Args:
      path: The file.
      memory_mb: Size of the columns, without compression, up to which they are kept in memory.

    Raises:
      BadInputError: The file cannot be read, or lacks a column.
    """
    try:
        file = pq.ParquetFile(path)
        missing = set(_COLUMNS) - set(file.schema_arrow.names)
        if missing:
            raise BadInputError.from_parts(path, f"the columns {_COLUMNS}", f"none of {sorted(missing)}")
        size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
        kind = MemoryHistories if size <= memory_mb * 2**20 else SqliteHistories
        return kind(_rows(file))
    except (OSError, pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError.from_reason(path, "a Parquet file of interactions", str(error).split("\n")[0]) from None


def _rows(file: pq.ParquetFile) -> Iterator[Row]:
    for batch in file.iter_batches(_BATCH, columns=_COLUMNS):
        table = pa.Table.from_batches([batch])
        times = table.column(keys.TIMESTAMP)
        if pa.types.is_timestamp(times.type):
            times = times.cast(pa.timestamp("s"), safe=False)
        queries = table.column(keys.QUERY_ID).cast(pa.string()).to_pylist()
        candidates = table.column(keys.CANDIDATE_ID).cast(pa.string()).to_pylist()
        for row in zip(queries, candidates, times.cast(pa.int64()).to_pylist(), strict=True):
            if None not in row:
                yield row
