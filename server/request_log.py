"""The request log: what was asked and answered, in Parquet files of a folder whose size and age are bounded.

    requests-<milliseconds>-<random>.parquet    one row per request, see `REQUESTS`
    outcomes-<milliseconds>-<random>.parquet    one row per outcome, see `OUTCOMES`

A query's id is in it as an HMAC with a key from the environment; the items of its history are not in it. A request is
sampled by its id, so its outcomes are in the sample, too.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import hmac
import logging
import os
import pathlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
from prometheus_client import Counter

from shortlist.config.serve import ServeLog
from shortlist.errors import BadInputError

KEY_VARIABLE = "SHORTLIST_LOG_KEY"
TRIAL_PREFIX = "try-"
"""Beginning of the ids of requests that are never logged, such as those of the page at `/`."""
_MIN_KEY = 16
_MAX_WAITING = 20_000
_SECONDS_PER_DAY = 86_400
_LOGGER = logging.getLogger("shortlist.server")

REQUESTS = pa.schema(
    [
        ("time", pa.int64()),  # seconds since 1970
        ("request_id", pa.string()),
        ("query", pa.string()),  # HMAC; null without a query
        ("version", pa.string()),
        ("variant", pa.string()),
        ("k", pa.int32()),
        ("rules", pa.string()),  # JSON of filter, diversity, boost and promote; null without any
        ("history_length", pa.int32()),
        ("unknown_ids", pa.int32()),  # items of the history that the model does not know
        ("newest_age", pa.int64()),  # seconds from the newest item of the history to the request; null without times
        ("fallback", pa.string()),
        ("ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)
"""Columns of the requests."""

OUTCOMES = pa.schema([("time", pa.int64()), ("request_id", pa.string()), ("id", pa.string()), ("event", pa.string())])
"""Columns of the outcomes: what happened to a candidate after a request."""

SCHEMAS = {"requests": REQUESTS, "outcomes": OUTCOMES}
"""Columns by kind of file."""


def key_from_environment() -> bytes:
    """Returns the key of the HMACs.

    Raises:
      BadInputError: There is none, or a short one.
    """
    key = os.environ.get(KEY_VARIABLE, "")
    if len(key) < _MIN_KEY:
        got = f"{len(key)} characters" if key else "none"
        raise BadInputError.from_parts("serve.log", f"a key of {_MIN_KEY} or more characters in {KEY_VARIABLE}", got)
    return key.encode("utf-8")


def hashed(key: bytes, query: str) -> str:
    """Returns the HMAC-SHA256 of a query's id, in hex."""
    return hmac.new(key, query.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def files(folder: pathlib.Path, kind: str) -> list[pathlib.Path]:
    """Returns the files of a kind, the oldest first."""
    return sorted(folder.glob(f"{kind}-*.parquet"))


def tables(
    folder: pathlib.Path, kind: str, columns: Sequence[str] | None = None
) -> Iterator[tuple[pathlib.Path, pa.Table]]:
    """Yields the files of a kind with their rows, the oldest first. A server may delete files meanwhile.

    Args:
      folder: Folder of the log.
      kind: `requests` or `outcomes`.
      columns: Names of the columns to read; by default all.

    Raises:
      BadInputError: A file is damaged, or is none of a log.
    """
    for path in files(folder, kind):
        try:
            yield path, pq.read_table(path, columns=columns)
        except FileNotFoundError:
            # The server has deleted it because of its age.
            continue
        except (OSError, pa.ArrowException) as error:
            raise BadInputError.from_reason(path, "a file of a request log", str(error).split("\n")[0]) from None


class RequestLog:
    """Writes the log; a thread writes files, and requests never wait for it."""

    def __init__(self, settings: ServeLog, key: bytes, dropped: Counter) -> None:
        """Makes the folder and starts the thread.

        Args:
          settings: The section `serve.log`, with a folder.
          key: Key of the HMACs.
          dropped: Counts rows that could not be written.

        Raises:
          BadInputError: The folder cannot be written to.
        """
        assert settings.folder is not None
        self._folder = pathlib.Path(settings.folder)
        self._settings = settings
        self._key = key
        self._dropped = dropped
        self._waiting: collections.deque[tuple[str, dict[str, Any]]] = collections.deque()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / f".{uuid.uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise BadInputError.from_reason(self._folder, "a folder to write to", error.strerror) from None
        self._wake = threading.Event()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def has(self, request_id: str) -> bool:
        """Returns whether a request is in the sample. One of somebody who only tries the model is not."""
        if request_id.startswith(TRIAL_PREFIX):
            return False
        digest = hashlib.blake2b(request_id.encode("ascii", "replace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._settings.sample * 2**64

    def add_request(self, row: dict[str, Any], query: str | None) -> None:
        """Adds a request, if it is in the sample.

        Args:
          row: Values by column of `REQUESTS`, without `query`.
          query: The query's id.
        """
        if self.has(row["request_id"]):
            self._add("requests", row | {"query": None if query is None else hashed(self._key, query)})

    def add_outcome(self, row: dict[str, Any]) -> None:
        """Adds an outcome, if its request is in the sample.

        Args:
          row: Values by column of `OUTCOMES`.
        """
        if self.has(row["request_id"]):
            self._add("outcomes", row)

    def _add(self, kind: str, row: dict[str, Any]) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped.inc()
            return
        self._waiting.append((kind, row))
        if len(self._waiting) >= _MAX_WAITING // 2:
            self._wake.set()

    def close(self) -> None:
        """Writes what is waiting, and ends the thread."""
        self._is_over = True
        self._wake.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._is_over:
            self._wake.wait(self._settings.flush_seconds)
            self._wake.clear()
            self.flush()
        # Rows that came while the last file was written.
        self.flush()

    def flush(self) -> None:
        """Writes what is waiting, and deletes what is too old or too much."""
        rows: dict[str, list[dict[str, Any]]] = {}
        while self._waiting:
            kind, row = self._waiting.popleft()
            rows.setdefault(kind, []).append(row)
        for kind, values in rows.items():
            try:
                write(self._folder, kind, values)
            # Whatever it is: the thread would end with it, and all later rows would be lost.
            except Exception as error:
                self._dropped.inc(len(values))
                _LOGGER.error("%d rows of the request log could not be written: %s", len(values), error)
        try:
            self._delete_old()
        except OSError as error:
            _LOGGER.error("old files of the request log could not be deleted: %s", error)

    def _delete_old(self) -> None:
        found = []
        for kind in SCHEMAS:
            for path in files(self._folder, kind):
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                found.append((stat.st_mtime, stat.st_size, path))
        found.sort(reverse=True)
        oldest = time.time() - self._settings.max_age_days * _SECONDS_PER_DAY
        size = 0
        for modified, length, path in found:
            size += length
            if modified < oldest or size > self._settings.max_mb * 2**20:
                path.unlink(missing_ok=True)


def write(folder: pathlib.Path, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a new file of the log.

    Args:
      folder: Folder of the log.
      kind: `requests` or `outcomes`.
      rows: Values by column.
    """
    write_table(folder / f"{kind}-{time.time_ns() // 10**6}-{uuid.uuid4().hex[:8]}.parquet", rows, SCHEMAS[kind])


def write_table(path: pathlib.Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Writes a file that readers see only when it is complete."""
    partial = path.with_name(f".{path.name}.part")
    try:
        pq.write_table(pa.Table.from_pylist(list(rows), schema), partial, compression="zstd")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def forget(folder: pathlib.Path, key: bytes, query: str) -> int:
    """Deletes the requests of a query and their outcomes, and returns the number of rows.

    A server that runs has up to `serve.log.flush_seconds` of requests in memory, which are not deleted.

    Raises:
      BadInputError: The folder does not exist, or a file is damaged. Nothing was found is no proof that nothing is
        there.
    """
    if not folder.is_dir():
        raise BadInputError.from_parts(folder, "the folder of a request log", "no folder", "see serve.log.folder")
    wanted = hashed(key, query)
    requests: set[str] = set()
    deleted = 0
    for path, table in tables(folder, "requests"):
        rows = table.to_pylist()
        own = {row["request_id"] for row in rows if row["query"] == wanted}
        deleted += _rewrite(path, rows, [row for row in rows if row["request_id"] not in own], REQUESTS)
        requests |= own
    for path, table in tables(folder, "outcomes"):
        rows = table.to_pylist()
        deleted += _rewrite(path, rows, [row for row in rows if row["request_id"] not in requests], OUTCOMES)
    return deleted


def _rewrite(path: pathlib.Path, rows: list[Any], kept: list[Any], schema: pa.Schema) -> int:
    if not kept:
        path.unlink(missing_ok=True)
    elif len(kept) < len(rows):
        # The server may delete the file meanwhile, because of its age.
        with contextlib.suppress(FileNotFoundError):
            modified = path.stat().st_mtime
            write_table(path, kept, schema)
            # Its age still is that of its requests.
            os.utime(path, (modified, modified))
    return len(rows) - len(kept)
