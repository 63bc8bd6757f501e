"""Parquet files that are pinned by their rows, since their bytes depend on the version of what wrote them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any


def to_parquet(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Returns a Parquet file of the columns, in their order."""
    import pyarrow
    from pyarrow import parquet  # Costs half a second, and not every data set needs it.

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(columns)), buffer)
    return buffer.getvalue()


def rows_sha256(content: bytes) -> str | None:
    """Returns the SHA-256 of what a Parquet file says: its columns' names and values, in their order.

    A column counts as the JSON array of its name and its distinct values as they first occur (UTF-8, a line), then
    each row's place among these values (int32, little endian, -1 for null). Whole numbers of any width are the same
    text, as are strings of any encoding. None where `content` is no Parquet file.
    """
    import pyarrow
    import pyarrow_hotfix  # noqa: F401  Importing it keeps a file's own pickled types from being run (CVE-2023-47248).
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(content))
    except (pyarrow.ArrowException, OSError, RuntimeError):
        return None
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        encoded = column.combine_chunks().dictionary_encode()
        values = [name, encoded.dictionary.to_pylist()]
        digest.update(json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n")
        digest.update(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype("<i4").tobytes())
    return digest.hexdigest()
