"""Histories of known queries, from a table of interactions: in memory, or in a temporary sqlite file if it is large."""

from __future__ import annotations

import bisect
import contextlib
import datetime
import pathlib
import sqlite3
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from server.known import Event, Histories, Known, WithFeatures
from server.windows import WindowHistories
from shortlist import keys, model_files
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from shortlist.serving.client import version_path

_COLUMNS = [keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP]
_BATCH = 65_536

Row = tuple[str, str, int, int, bytes]
"""Query id, candidate id, whole seconds, nanoseconds after them, and the interaction's features, see `encoded`."""


class MemoryHistories:
    """Histories in memory: 20 bytes per interaction, the ids, and the distinct combinations of features."""

    def __init__(self, rows: Iterable[Row]) -> None:
        queries: dict[str, int] = {}
        candidates: dict[str, int] = {}
        features: dict[bytes, int] = {}
        numbers = np.fromiter(
            (
                value
                for query, candidate, time, nanos, of_item in rows
                for value in (
                    queries.setdefault(query, len(queries)),
                    candidates.setdefault(candidate, len(candidates)),
                    time,
                    nanos,
                    features.setdefault(of_item, len(features)),
                )
            ),
            np.int64,
        ).reshape(-1, 5)
        # By query, then by time; rows of one time stay in the order of the table.
        numbers = numbers[np.lexsort((np.arange(len(numbers)), numbers[:, 3], numbers[:, 2], numbers[:, 0]))]
        self._starts = np.searchsorted(numbers[:, 0], np.arange(len(queries) + 1))
        self._candidates = numbers[:, 1].astype(np.int32)
        self._times = numbers[:, 2].copy()
        self._of_items = numbers[:, 4].astype(np.int32)
        self._queries, self._ids, self._features = queries, list(candidates), list(features)

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns the history of a query before a time; None for an unknown query."""
        number = self._queries.get(query_id)
        if number is None:
            return None
        start, end = int(self._starts[number]), int(self._starts[number + 1])
        times = self._times[start:end].tolist()
        end = start + bisect.bisect_left(times, before)
        found = zip(self._candidates[start:end].tolist(), times, self._of_items[start:end].tolist(), strict=False)
        return Known([Event(self._ids[item], time, _loaded(self._features[of_item])) for item, time, of_item in found])

    def close(self) -> None:
        """Nothing to free."""


class SqliteHistories:
    """Histories in a temporary file, which is deleted at the end."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="shortlist-histories-")
        self._path = str(pathlib.Path(self._folder.name) / "histories.sqlite")
        self._threads = threading.local()
        with contextlib.closing(sqlite3.connect(self._path)) as store, store:
            store.execute(
                "CREATE TABLE events (query TEXT, candidate TEXT, time INTEGER, nanos INTEGER, features BLOB)"
            )
            store.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            store.execute("CREATE INDEX by_query ON events (query, time)")

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns the history of a query before a time; None for an unknown query."""
        store = getattr(self._threads, "store", None)
        if store is None:
            store = self._threads.store = sqlite3.connect(self._path)
        found = store.execute(
            "SELECT candidate, time, features FROM events WHERE query = ? AND time < ? ORDER BY time, nanos, rowid",
            (query_id, before),
        ).fetchall()
        if not found and not store.execute("SELECT 1 FROM events WHERE query = ? LIMIT 1", (query_id,)).fetchone():
            return None
        return Known([Event(str(item), int(time), _loaded(features)) for item, time, features in found])

    def close(self) -> None:
        """Deletes the file."""
        self._folder.cleanup()


def of_settings(settings: Serve, model: pathlib.Path) -> Histories | None:
    """Returns what the section `serve` names: histories and features of queries; None for neither.

    Args:
      settings: The section.
      model: Folder of the versions, or of one version. Its newest version names the features of interactions.

    Raises:
      BadInputError: A file cannot be read, or there is no version.
    """
    known: Histories | None = None
    memory_mb = settings.histories_memory_mb
    if settings.histories is not None:
        of_items, _ = model_files.interaction_features(version_path(model))
        known = read(pathlib.Path(settings.histories), memory_mb, of_items)
    if settings.queries is not None:
        known = WithFeatures(known, read_features(pathlib.Path(settings.queries)), memory_mb)
    return known


def read(path: pathlib.Path, memory_mb: int, of_items: Collection[str] = ()) -> Histories:
    """Reads a Parquet file of interactions, or the windows of a run.

    Args:
      path: The file; or the output `examples` of the node Windows, which has the newest window of each query.
      memory_mb: Size of the columns, without compression, up to which they are kept in memory.
      of_items: Features of interactions that the model reads. The file may have columns of these names.

    Raises:
      BadInputError: The file cannot be read, or lacks a column.
    """
    if WindowHistories.is_at(path):
        return WindowHistories(path, memory_mb)
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        missing = set(_COLUMNS) - set(names)
        if missing:
            raise BadInputError.from_parts(path, f"the columns {_COLUMNS}", f"none of {sorted(missing)}")
        size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.num_row_groups))
        kind = MemoryHistories if size <= memory_mb * 2**20 else SqliteHistories
        return kind(_rows(file, sorted(set(of_items) & set(names))))
    except (OSError, pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError.from_reason(path, "a Parquet file of interactions", str(error).split("\n")[0]) from None


def read_features(path: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields query id and features of each row of a Parquet file with `query_id` and a column per feature.

    Raises:
      BadInputError: The file cannot be read, or lacks `query_id`.
    """
    try:
        file = pq.ParquetFile(path)
        if keys.QUERY_ID not in file.schema_arrow.names:
            raise BadInputError.from_parts(path, f"a column {keys.QUERY_ID}", f"{file.schema_arrow.names}")
        for batch in file.iter_batches(_BATCH):
            for row in batch.to_pylist():
                query = row.pop(keys.QUERY_ID)
                if query is not None:
                    yield str(query), {name: _plain(value) for name, value in row.items()}
    except (OSError, pa.ArrowException) as error:
        raise BadInputError.from_reason(path, "a Parquet file of queries", str(error).split("\n")[0]) from None


def encoded(features: Mapping[str, Any]) -> bytes:
    """Returns the features of an interaction as JSON; `b""` if all are missing."""
    present = {name: value for name, value in features.items() if value is not None}
    return orjson.dumps(present, option=orjson.OPT_SORT_KEYS) if present else b""


def _loaded(features: bytes) -> Mapping[str, Any]:
    return orjson.loads(features) if features else {}


def _plain(value: Any) -> Any:
    """Returns a value as requests have it: times as seconds."""
    if isinstance(value, datetime.datetime):
        return int(value.replace(tzinfo=value.tzinfo or datetime.timezone.utc).timestamp())
    return value


def _rows(file: pq.ParquetFile, of_items: list[str]) -> Iterator[Row]:
    for batch in file.iter_batches(_BATCH, columns=[*_COLUMNS, *of_items]):
        table = pa.Table.from_batches([batch])
        times, nanos = table.column(keys.TIMESTAMP), [0] * len(table)
        if pa.types.is_timestamp(times.type):
            fine = times.cast(pa.timestamp("ns")).cast(pa.int64())
            times = times.cast(pa.timestamp("s"), safe=False)
            nanos = pc.subtract(fine, pc.multiply(times.cast(pa.int64()), 10**9)).to_pylist()
        queries = table.column(keys.QUERY_ID).cast(pa.string()).to_pylist()
        candidates = table.column(keys.CANDIDATE_ID).cast(pa.string()).to_pylist()
        columns = [[_plain(value) for value in table.column(name).to_pylist()] for name in of_items]
        features = [encoded(dict(zip(of_items, values, strict=True))) for values in zip(*columns, strict=True)]
        features = features or [b""] * len(table)
        for row in zip(queries, candidates, times.cast(pa.int64()).to_pylist(), nanos, features, strict=True):
            if None not in row:
                yield row
