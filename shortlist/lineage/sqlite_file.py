"""Reasons why ML Metadata's sqlite file cannot be used, each as one sentence."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import sqlite3
import stat
import urllib.parse
from collections.abc import Iterator

from shortlist.errors import ResourceError, StoreError
from shortlist.process import resources

BUSY_SECONDS = 10.0
"""Time that a check waits for another program's transaction."""

_MAGIC = b"SQLite format 3\0"
# ML Metadata creates its tables in one transaction, and this one holds the version of the schema.
_TABLE = "MLMDEnv"
_EXPECTED = "an ML Metadata store"
_WRITABLE = "an ML Metadata store that can be written"
_RESTORE = "restore it from a backup, or set `workspace` to another folder; `shortlist recommend` works without it"
_OTHER_FOLDER = "set `workspace` to another folder, or restore the store from a backup"
_PERMISSIONS = "check the permissions of the file and its folder"
_RUN = "`shortlist run` creates them"
_WAIT = "run the command again when that program has ended"

_BUSY = re.compile("database (table )?is locked|Concurrent writes aborted")
_DAMAGED = re.compile("database disk image is malformed|file is not a database|malformed database schema")
_READ_ONLY = re.compile("attempt to write a readonly database")
_SYSTEM = re.compile("unable to open database file|disk I/O error")
_NEWER = re.compile(r"database version (\d+) is greater than library version (\d+)")


def check(path: pathlib.Path, *, for_writing: bool) -> None:
    """Checks a file, which may be absent; changes nothing but a transaction that a killed writer left behind.

    A check for writing also reads every page and accepts a file without tables, which ML Metadata then creates.

    Raises:
      StoreError: The file cannot be used.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError.from_reason(path, _EXPECTED, error.strerror, _PERMISSIONS) from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise StoreError.from_parts(path, _EXPECTED, kind, _OTHER_FOLDER)
    _check_header(path)
    with _raises_store_error(path):
        if for_writing:
            _check_writable(path)
            _finish_transaction(path)
            _check_pages(path)
        elif os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
            _finish_transaction(path)
        tables = _tables(path)
    if not tables and not for_writing:
        raise StoreError.from_parts(
            path, _EXPECTED, "a file without tables, as a run leaves it that dies at once", _RUN
        )
    if tables and _TABLE not in tables:
        raise StoreError.from_parts(path, _EXPECTED, "a database of another program", _OTHER_FOLDER)


def error_from(path: pathlib.Path, message: str) -> StoreError | ResourceError | None:
    """Returns the error behind a message of ML Metadata or sqlite; None if the message is not about the file."""
    newer = _NEWER.search(message)
    if newer is not None:
        return StoreError.from_parts(
            path, f"an ML Metadata store of version {newer[2]} at most", newer[1], "use the Shortlist that made it"
        )
    if _BUSY.search(message):
        return StoreError.from_parts(path, "a store that no other program writes to", "a busy one", _WAIT)
    if _DAMAGED.search(message):
        return _damaged(path, message)
    if _READ_ONLY.search(message):
        return StoreError.from_parts(path, _WRITABLE, "a read-only one", _PERMISSIONS)
    system = _SYSTEM.search(message)
    if system is not None:
        # sqlite's journal is a file of its own.
        shortage = resources.find_missing_inodes(path.parent)
        if shortage is not None:
            return shortage
        return StoreError.from_reason(path, "a readable ML Metadata store", system[0], "check the disk and permissions")
    return None


def _damaged(path: pathlib.Path, reason: str) -> StoreError:
    found = _DAMAGED.search(reason)
    return StoreError.from_parts(path, _EXPECTED, f"a damaged one ({found[0] if found else reason})", _RESTORE)


@contextlib.contextmanager
def _raises_store_error(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        known = error_from(path, str(error))
        if known is None:
            raise
        raise known from None


def _check_header(path: pathlib.Path) -> None:
    try:
        with path.open("rb") as file:
            header = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreError.from_reason(path, "a readable ML Metadata store", error.strerror, _PERMISSIONS) from None
    if header and header != _MAGIC:
        raise _damaged(path, "file is not a database")


def _check_writable(path: pathlib.Path) -> None:
    # sqlite creates its journal beside the file.
    for needed in (path, path.parent):
        if not os.access(needed, os.W_OK):
            raise StoreError.from_parts(path, _WRITABLE, "a read-only one", _PERMISSIONS)


def _finish_transaction(path: pathlib.Path) -> None:
    """Rolls back the transaction of a killed writer; ML Metadata's read-only connection fails instead."""
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists() and journal.stat().st_size:
        with contextlib.closing(_connect(path, "rw")) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()


def _check_pages(path: pathlib.Path) -> None:
    with contextlib.closing(_connect(path, "rw")) as connection:
        # The lock of a writer, to find out whether another program has it; a reader's lock would not show that.
        connection.execute("begin immediate")
        [finding] = connection.execute("pragma quick_check(1)").fetchone()
        connection.execute("rollback")
    if finding != "ok":
        # One line, as sqlite begins with "*** in database main ***".
        raise _damaged(path, " ".join(str(finding).replace("*", "").split())[:80])


def _tables(path: pathlib.Path) -> set[str]:
    try:
        with contextlib.closing(_connect(path, "ro")) as connection:
            return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.OperationalError as error:
        if not _READ_ONLY.search(str(error)):
            raise
        raise StoreError.from_parts(
            path,
            "an ML Metadata store without an unfinished transaction",
            "that of a command that was killed",
            "run a command of Shortlist with an account that may write to the workspace, which takes it back",
        ) from None


def _connect(path: pathlib.Path, mode: str) -> sqlite3.Connection:
    # isolation_level=None: Python must not begin transactions of its own.
    uri = f"file:{urllib.parse.quote(os.fspath(path.absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
