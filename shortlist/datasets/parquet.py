"""Parquet files with a checksum of their rows, because their bytes depend on the version of the writer."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any


def to_parquet(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Returns a Parquet file of the columns, in their order."""
    import pyarrow
    from pyarrow import parquet  # The import takes half a second, and not every data set needs it.

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(columns)), buffer)
    return buffer.getvalue()


def rows_sha256(content: bytes, columns: Sequence[str] = ()) -> str | None:
    """Returns the SHA-256 of a Parquet file's content: its columns' names and values, in their order.

    Each column contributes two parts. The first is a line of UTF-8 with the JSON array of its name and its distinct
    values, in the order of their first row. The second is the index of each row's value in that array (int32, little
    endian, -1 for null). The width of integers and the encoding of strings therefore make no difference.

    Args:
      content: The file.
      columns: Names of the columns that count, in this order; all by default.

    Returns:
      The checksum in hex; None if `content` is not a Parquet file or lacks a column.
    """
    import pyarrow
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(content))
        table = table.select(list(columns)) if columns else table
    except (pyarrow.ArrowException, OSError, RuntimeError, KeyError):
        return None
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        encoded = column.combine_chunks().dictionary_encode()
        values = [name, encoded.dictionary.to_pylist()]
        digest.update(json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n")
        digest.update(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
    return digest.hexdigest()
