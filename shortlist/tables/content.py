"""Fingerprints of the input tables' content.

TFX's own fingerprint has only the files' number, sizes and modification times, so a copied file looks like new data.

A run computes the fingerprints before it ingests the files, and asks for them again afterwards. The second time, a
local file is not read if it is the same inode with the same size and times in nanoseconds: any write or replacement
changes one of them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

from shortlist import fingerprints
from shortlist.config import paths
from shortlist.config.table import Interactions, Table, TableName
from shortlist.errors import DataError
from shortlist.tables import inputs
from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import table_spec

_CHUNK_BYTES = 2**20
# A write at this distance from an earlier one may not change the file's times: kernels count them in ticks, and clocks
# of file servers differ. Such a young file is read again.
_SETTLED_SECONDS = 5.0
# Threads for reading and hashing, both of which release Python's global lock.
_READERS = 8


class _Version(NamedTuple):
    """What the file system changes when the content of a local file changes."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, descriptor: int) -> _Version:
        # Of the open file: on NFS, opening it asks the server for its current times.
        found = os.fstat(descriptor)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    @property
    def is_settled(self) -> bool:
        """Whether a later write will change the times."""
        return time.time() - max(self.modified_ns, self.changed_ns) / 1e9 > _SETTLED_SECONDS


_digests: dict[str, tuple[_Version, bytes]] = {}
"""Digests of local files that this process has read, by path."""


def files_sha256(files: Sequence[InputFile]) -> str:
    """Returns the SHA-256 of the names and bytes of files.

    Names are part of it, because they order rows with the same timestamp. Modification times are not.

    Args:
      files: Files from `inputs.find`.

    Raises:
      DataError: A file cannot be read, or its size has changed since it was listed.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        digests = list(pool.map(_file_sha256, files))
    return fingerprints.combine([(file.name, digest) for file, digest in zip(files, digests, strict=True)])


def tables_sha256(tables: Mapping[TableName, Table], data_root: str | os.PathLike[str]) -> dict[str, str]:
    """Returns the fingerprint of each table's files, by table name.

    Args:
      tables: `data.tables` of the config.
      data_root: Start of relative paths; may be a URI.

    Raises:
      DataError: A file cannot be listed or read, or is being written.
    """
    fingerprint_of: dict[str, str] = {}
    for name, table in tables.items():
        last_spans = table.last_spans if isinstance(table, Interactions) else None
        files = inputs.find(table.path, data_root, last_spans)
        fingerprint_of[name] = files_sha256([*files, *table_spec(name, table).vector_files(data_root)])
    return fingerprint_of


def _file_sha256(file: InputFile) -> bytes:
    try:
        with contextlib.closing(file.open()) as opened:
            version = None if paths.is_uri(file.path) else _Version.of(opened.fileno())
            earlier, digest = _digests.get(file.path, (None, b""))
            if version is not None and version == earlier:
                size = version.size
            else:
                digest, size = _read(opened)
            if version is not None and version.is_settled and version == _Version.of(opened.fileno()):
                _digests[file.path] = version, digest
    except OSError as error:
        reason = error.strerror or error
        raise DataError.from_parts(file.name, "a readable file", reason, "check its permissions") from None
    if size != file.size:
        raise DataError.from_parts(
            file.name,
            f"{file.size:,} bytes, as listed a moment ago",
            f"{size:,}",
            "the file is being written: wait for it, or set the path to complete files",
        )
    return digest


def _read(opened: BinaryIO) -> tuple[bytes, int]:
    """Returns the SHA-256 of a file's bytes and their number."""
    digest = hashlib.sha256()
    size = 0
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    while read := opened.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(view[:read])
        size += read
    return digest.digest(), size
