"""Fingerprints of the input tables' content.

TFX's own fingerprint of files is their number, sizes and times of modification.
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
# Threads that read and hash: Python releases its lock meanwhile.
_READERS = 8


def files_sha256(files: Sequence[InputFile]) -> str:
    """Returns the SHA-256 of the names and bytes of files.

    Names count, since they order rows that have the same time. Times of modification do not.

    Args:
      files: As `inputs.find` found them.

    Raises:
      DataError: A file cannot be read, or grew or shrank since it was found.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        digests = list(pool.map(_file_sha256, files))
    return fingerprints.combined([(file.name, digest) for file, digest in zip(files, digests, strict=True)])


def tables_sha256(tables: Mapping[TableName, Table], data_root: str | os.PathLike[str]) -> dict[str, str]:
    """Returns by table name the fingerprint of its files' names and bytes.

    Args:
      tables: `data.tables` of the config: sections that name the files.
      data_root: Where relative paths start; may be a URI.

    Raises:
      DataError: A file cannot be listed or read, or is being written.
    """
    return {
        name: files_sha256(
            inputs.find(table.path, data_root, table.last_spans if isinstance(table, Interactions) else None)
        )
        for name, table in tables.items()
    }


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
            f"the {file.size:,} bytes that it had a moment ago",
            f"{size:,}",
            "it is being written: wait for it, or name the files that are done",
        )
    return digest.digest()
