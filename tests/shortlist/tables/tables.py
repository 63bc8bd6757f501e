"""Small tables for the tests of this folder."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from shortlist.config.features import Feature
from shortlist.config.table import Interactions
from shortlist.tables import readers
from shortlist.tables.spec import ColumnSpec, ColumnType, Format, TableSpec, table_spec

INTERACTIONS = Interactions(
    path="logs/ratings.csv",
    query_id="user",
    candidate_id="item",
    timestamp="time",
    features={"rating": Feature(type="numeric"), "device": Feature(type="category")},
)


def one_column(column_type: ColumnType, format: Format = "csv") -> TableSpec:
    """Returns a table of one column, `x`."""
    return TableSpec("interactions", format, (ColumnSpec("x", "x", column_type, "data.x", "|"),))


def csv_rows(content: str | bytes, spec: TableSpec | None = None) -> list[tuple[int, dict[str, Any]]]:
    """Returns the parsed rows of a CSV file; by default of `INTERACTIONS`."""
    content = content.encode() if isinstance(content, str) else content
    return rows_of(content, spec or table_spec("interactions", INTERACTIONS))


def rows_of(content: bytes, spec: TableSpec) -> list[tuple[int, dict[str, Any]]]:
    """Returns the parsed rows of a file's bytes."""
    return list(readers.parsed_rows(readers.open_table(io.BytesIO(content), spec, "logs/ratings.csv"), spec))


def parquet_bytes(columns: dict[str, Any], **options: Any) -> bytes:
    """Returns the bytes of a Parquet file."""
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def parquet_values(array: Any, column_type: ColumnType) -> list[Any]:
    """Returns the cells that are read from a Parquet column."""
    spec = one_column(column_type, "parquet")
    return [values["x"] for _, values in rows_of(parquet_bytes({"x": array}), spec)]
