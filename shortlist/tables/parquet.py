"""What `parquet_reader` needs of pyarrow: types that a column may have, and exact Python cells."""

from __future__ import annotations

import fractions
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union

import pyarrow as pa
import pyarrow_hotfix  # noqa: F401  Importing it keeps a file's own pickled types from being run (CVE-2023-47248).
from pyarrow import types as arrow
from pyarrow.parquet import ParquetFile

from shortlist.tables.spec import ColumnType

__all__ = ["ERRORS", "ParquetFile", "Use", "batches", "cells", "is_time", "rows_of_groups", "type_problem"]

# What a column is read for.
Use = Union[ColumnType, Literal["filter", "filter_text"]]

ERRORS = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)

_BATCH_ROWS = 4096
_BATCH_BYTES = 16 * 2**20
_UNITS_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_A_DAY = 86_400

_CAST = "cast the column when writing the file"


def rows_of_groups(file: ParquetFile) -> list[int]:
    """Returns how many rows each row group has."""
    return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]


def batches(file: ParquetFile, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields a row group's rows in file order, `columns` only, a few thousand at a time, fewer where they are large."""
    metadata = file.metadata.row_group(group)
    row_bytes = metadata.total_byte_size // max(metadata.num_rows, 1)
    batch_size = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(row_bytes, 1)))
    yield from file.iter_batches(batch_size=batch_size, row_groups=[group], columns=list(columns), use_threads=False)


def is_time(arrow_type: pa.DataType) -> bool:
    """Returns whether the cells of a column are times by themselves."""
    return bool(arrow.is_timestamp(arrow_type) or arrow.is_date(arrow_type))


def cells(array: pa.Array) -> list[Any]:
    """Returns Python cells: times as exact seconds, text as bytes where it is not known to be UTF-8."""
    if arrow.is_dictionary(array.type):
        array = array.dictionary_decode()
    if arrow.is_timestamp(array.type):
        return _seconds(array.cast(pa.int64()), _UNITS_A_SECOND[array.type.unit])
    if arrow.is_date32(array.type):
        return [None if days is None else days * _SECONDS_A_DAY for days in array.cast(pa.int32()).to_pylist()]
    if arrow.is_date64(array.type):
        return _seconds(array.cast(pa.int64()), _UNITS_A_SECOND["ms"])
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        # Nothing checks Parquet strings when they are written; as bytes, the parser refuses the right row.
        return [None if not scalar.is_valid else _bytes(scalar) for scalar in array]


def type_problem(use: Use, arrow_type: pa.DataType) -> tuple[str, str] | None:
    """Returns what was expected and a remedy where a column of this type cannot be read for that."""
    if arrow.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if arrow.is_null(arrow_type) or _is_text(arrow_type):
        return None
    is_number = _is_number(arrow_type)
    if use in ("id", "order", "subsecond", "timestamp") and _is_short_float(arrow_type):
        return "int64 or a string", "a float this short has lost digits already: cast before it is one"
    if use in ("order", "subsecond", "timestamp"):
        return None if is_number or is_time(arrow_type) else ("numbers, texts or a timestamp column", _CAST)
    if use == "numeric":
        return None if is_number else ("a numeric column", _CAST)
    if use == "id":
        return None if is_number else ("a string or integer column", _CAST)
    is_plain = is_number or arrow.is_boolean(arrow_type)
    if use == "filter_text" and is_time(arrow_type):
        return "a string column to compare with a text", "compare times with <, <=, > or >= in the filter"
    if use == "filter":
        is_fine = is_plain or is_time(arrow_type)
        return None if is_fine else ("a column of strings, numbers or times to filter by", _CAST)
    if use == "multi_category" and (arrow.is_list(arrow_type) or arrow.is_large_list(arrow_type)):
        arrow_type = arrow_type.value_type
        is_plain = _is_number(arrow_type) or arrow.is_boolean(arrow_type) or _is_text(arrow_type)
    return None if is_plain else ("a string column", _CAST)


def _seconds(array: pa.Array, units_a_second: int) -> list[int | fractions.Fraction | None]:
    return [
        None
        if units is None
        else units // units_a_second
        if units % units_a_second == 0
        else fractions.Fraction(units, units_a_second)
        for units in array.to_pylist()
    ]


def _bytes(scalar: pa.Scalar) -> Any:
    if isinstance(scalar, (pa.StringScalar, pa.LargeStringScalar)):
        return scalar.as_buffer().to_pybytes()
    return [None if not value.is_valid else value.as_buffer().to_pybytes() for value in scalar.values]


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(
        arrow.is_string(arrow_type)
        or arrow.is_large_string(arrow_type)
        or arrow.is_binary(arrow_type)
        or arrow.is_large_binary(arrow_type)
    )


def _is_short_float(arrow_type: pa.DataType) -> bool:
    return bool(arrow.is_float32(arrow_type) or arrow.is_float16(arrow_type))


def _is_number(arrow_type: pa.DataType) -> bool:
    return bool(arrow.is_integer(arrow_type) or arrow.is_floating(arrow_type) or arrow.is_decimal(arrow_type))
