"""Fingerprints of the input tables' content.

TFX's own fingerprint has only the files' number, sizes and modification times, so a copied file looks like new data.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence

from shortlist import fingerprints
from shortlist.config.table import Interactions, Table, TableName
from shortlist.errors import DataError
from shortlist.tables import inputs
from shortlist.tables.inputs import InputFile

_CHUNK_BYTES = 2**20
# Threads for reading and hashing, both of which release Python's global lock.
_READERS = 8


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
        fingerprint_of[name] = files_sha256(inputs.find(table.path, data_root, last_spans))
    return fingerprint_of


def _file_sha256(file: InputFile) -> bytes:
    digest = hashlib.sha256()
    size = 0
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    try:
        with contextlib.closing(file.open()) as opened:
            while read := opened.readinto(buffer):  # type: ignore[attr-defined]
                digest.update(view[:read])
                size += read
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
    return digest.digest()
