"""Bytes by query, in memory up to a stated size, then in a temporary sqlite file."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import tempfile
import threading

_BATCH = 10_000
_UPSERT = (
    "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (query) DO UPDATE SET rank = excluded.rank, "
    "content = excluded.content WHERE excluded.rank >= documents.rank"
)


class Documents:
    """Bytes by query. One thread adds them; afterwards `find` can be called from several threads."""

    def __init__(self, memory_mb: float) -> None:
        """Begins in memory.

        Args:
          memory_mb: Size of ids and contents up to which they stay there.
        """
        self._limit = memory_mb * 2**20
        self._size = 0
        self._found: dict[str, tuple[int, bytes]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._path = ""
        self._threads = threading.local()

    @property
    def is_in_memory(self) -> bool:
        """Whether all contents are in memory."""
        return self._folder is None

    def add(self, query_id: str, rank: int, content: bytes) -> None:
        """Adds a content. Of several of one query, that of the greatest rank stays, the last of equal ones.

        Args:
          query_id: The query.
          rank: An int64.
          content: The content.
        """
        before = self._found.get(query_id)
        if before is not None and before[0] > rank:
            return
        self._found[query_id] = (rank, content)
        self._size += len(content) - len(before[1]) if before else len(content) + len(query_id)
        if self._folder is None and self._size > self._limit:
            self._folder = tempfile.TemporaryDirectory(prefix="shortlist-queries-")
            self._path = str(pathlib.Path(self._folder.name) / "documents.sqlite")
            with contextlib.closing(sqlite3.connect(self._path)) as store, store:
                store.execute("CREATE TABLE documents (query TEXT PRIMARY KEY, rank INTEGER, content BLOB)")
        if self._folder is not None and len(self._found) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Writes what waits for the file; to be called after the last `add`."""
        if self._folder is None:
            return
        rows = [(query, rank, content) for query, (rank, content) in self._found.items()]
        with contextlib.closing(sqlite3.connect(self._path)) as store, store:
            store.executemany(_UPSERT, rows)
        self._found.clear()

    def find(self, query_id: str) -> bytes | None:
        """Returns the content of a query; None for an unknown one."""
        if self._folder is None:
            found = self._found.get(query_id)
            return None if found is None else found[1]
        store = getattr(self._threads, "store", None)
        if store is None:
            store = self._threads.store = sqlite3.connect(self._path)
        row = store.execute("SELECT content FROM documents WHERE query = ?", (query_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Deletes the file."""
        if self._folder is not None:
            self._folder.cleanup()
