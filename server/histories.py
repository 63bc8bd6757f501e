"""Histories of known queries, from a table of interactions: in memory, or in a temporary sqlite file if it is large."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import tempfile
import threading
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from server import parquet_tables
from server.known import Event, FeatureReader, Histories, Known, Misfit, WithFeatures, decoded
from server.parquet_tables import Row
from server.stored_values import StoredValues
from server.windows import WindowHistories
from shortlist import keys, model_files
from shortlist.config.serve import Serve
from shortlist.config.table import Repeats
from shortlist.serving.served_model import version_path

MAX_EVENTS = 10_000
"""Interactions of a history. No model reads more, see `data.max_interactions_per_query`; of earlier ones only the
distinct candidates are known, see `Known.seen`. A bot has a million interactions, and would hold up all others."""


class MemoryHistories:
    """Histories in memory: 20 bytes per interaction, the ids, and the distinct combinations of features."""

    is_in_memory = True

    def __init__(
        self,
        rows: Iterable[Row],
        stored: StoredValues | None = None,
        max_events: int = MAX_EVENTS,
        repeats: Repeats = "all",
    ) -> None:
        """Reads interactions.

        Args:
          rows: The interactions. Those of weight 0 have it among their features.
          stored: Where the rows note the features; it is complete at the end of the rows.
          max_events: Interactions of a history.
          repeats: The interactions with each candidate that count, see `splits.drop_repeats`.
        """
        self._stored = stored
        self._max_events = max_events
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
        self._repeats = repeats
        # Rows of weight 0 repeat only each other, see `splits.repeat_key`.
        is_target = np.array([decoded(of_item).get(keys.WEIGHT, 1.0) > 0.0 for of_item in features], np.bool_)
        self._keys = 2 * numbers[:, 1] + is_target[self._of_items] if repeats != "all" else None
        self._queries, self._ids, self._features = queries, list(candidates), list(features)

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Returns the columns that a model cannot read."""
        return [] if self._stored is None else features.misfits_of_events(self._stored)

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns the history of a query before a time; None for an unknown query."""
        number = self._queries.get(query_id)
        if number is None:
            return None
        start, end = int(self._starts[number]), int(self._starts[number + 1])
        end = start + int(np.searchsorted(self._times[start:end], before))
        rows = self._counted(start, end)[-self._max_events :]
        columns = (self._candidates, self._times, self._of_items)
        found = zip(*(column[rows].tolist() for column in columns), strict=True)
        events = [Event(self._ids[item], time, decoded(self._features[of_item])) for item, time, of_item in found]
        earlier = np.setdiff1d(self._candidates[start:end], self._candidates[rows]).tolist()
        return Known(events, seen=tuple(self._ids[item] for item in earlier))

    def _counted(self, start: int, end: int) -> npt.NDArray[np.int64]:
        """Returns the rows of a history without repeats, oldest first.

        Objects are made of the newest of them alone: a million took seconds, in which the server answered nobody.
        """
        if self._keys is None:
            return np.arange(start, end)
        repeated = self._keys[start:end]
        if self._repeats == "first":
            return start + np.sort(np.unique(repeated, return_index=True)[1])
        return end - 1 - np.sort(np.unique(repeated[::-1], return_index=True)[1])[::-1]

    def close(self) -> None:
        """Nothing to free."""


class SqliteHistories:
    """Histories in a temporary file, which is deleted at the end."""

    is_in_memory = False

    def __init__(self, rows: Iterable[Row], stored: StoredValues | None = None) -> None:
        """Reads interactions, see `MemoryHistories`."""
        self._stored = stored
        self._folder = tempfile.TemporaryDirectory(prefix="shortlist-histories-")
        self._path = str(pathlib.Path(self._folder.name) / "histories.sqlite")
        self._threads = threading.local()
        with contextlib.closing(sqlite3.connect(self._path)) as store, store:
            store.execute(
                "CREATE TABLE events (query TEXT, candidate TEXT, time INTEGER, nanos INTEGER, features BLOB)"
            )
            store.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            store.execute("CREATE INDEX by_query ON events (query, time)")

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Returns the columns that a model cannot read."""
        return [] if self._stored is None else features.misfits_of_events(self._stored)

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns the history of a query before a time; None for an unknown query."""
        store = getattr(self._threads, "store", None)
        if store is None:
            store = self._threads.store = sqlite3.connect(self._path)
        found = store.execute(
            "SELECT candidate, time, features FROM events WHERE query = ? AND time < ? "
            "ORDER BY time DESC, nanos DESC, rowid DESC LIMIT ?",
            (query_id, before, MAX_EVENTS),
        ).fetchall()
        if not found and not store.execute("SELECT 1 FROM events WHERE query = ? LIMIT 1", (query_id,)).fetchone():
            return None
        events = [Event(str(item), int(time), decoded(features)) for item, time, features in reversed(found)]
        if len(events) < MAX_EVENTS:
            return Known(events)
        every = store.execute(
            "SELECT DISTINCT candidate FROM events WHERE query = ? AND time < ?", (query_id, before)
        ).fetchall()
        return Known(events, seen=tuple(sorted({str(item) for (item,) in every} - {event.id for event in events})))

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
        known = with_queries(known, pathlib.Path(settings.queries), memory_mb)
    return known


def with_queries(known: Histories | None, path: pathlib.Path, memory_mb: int) -> Histories:
    """Returns histories with the features of queries in a Parquet file.

    Raises:
      BadInputError: The file cannot be read, or lacks `query_id`.
    """
    return WithFeatures(known, parquet_tables.read_features(path), memory_mb, source=path)


def read(path: pathlib.Path, memory_mb: int, of_items: Collection[str] = ()) -> Histories:
    """Reads a Parquet file of interactions, or the windows of a run.

    Args:
      path: The file; or the output `examples` of the node Windows, which has the newest window of each query.
      memory_mb: Size of the columns, without compression, up to which they are kept in memory.
      of_items: Features of interactions that the model reads. The file may have columns of these names.

    Raises:
      BadInputError: The file cannot be read, or lacks a column, or has a wrong value.
    """
    if WindowHistories.is_at(path):
        return WindowHistories(path, memory_mb)
    table = parquet_tables.open_interactions(path)
    kind = MemoryHistories if table.num_bytes <= memory_mb * 2**20 else SqliteHistories
    stored = StoredValues(path)
    return kind(parquet_tables.read_interactions(table, sorted(set(of_items) & set(table.names)), stored), stored)
