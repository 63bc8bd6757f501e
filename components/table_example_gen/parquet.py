"""What `readers.ParquetReader` needs of pyarrow: types that a column may have, and exact Python cells."""

from __future__ import annotations

import fractions
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow_hotfix  # noqa: F401  Importing it keeps a file's own pickled types from being run (CVE-2023-47248).
from pyarrow import types as arrow
from pyarrow.parquet import ParquetFile

from components.table_example_gen.spec import ColumnType

__all__ = ["ERRORS", "ParquetFile", "batches", "cells", "type_problem"]

ERRORS = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)

_BATCH_ROWS = 4096
_UNITS_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_A_DAY = 86_400

_CAST = "cast the column when writing the file"


def batches(file: ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields the rows in file order, `columns` only, a few thousand at a time."""
    return file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns), use_threads=False)


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
        return array.to_pylist()
    except UnicodeDecodeError:
        # Nothing checks Parquet strings when they are written; as bytes, the parser refuses the right row.
        return [None if not scalar.is_valid else _bytes(scalar) for scalar in array]


def type_problem(column_type: ColumnType, arrow_type: pa.DataType) -> tuple[str, str] | None:
    """Returns what was expected and a remedy where a column of this type cannot be read as asked."""
    if arrow.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if arrow.is_null(arrow_type) or _is_text(arrow_type):
        return None
    if column_type in ("id", "order", "timestamp") and (arrow.is_float32(arrow_type) or arrow.is_float16(arrow_type)):
        return "int64 or a string", "a float this short has lost digits already: cast before it is one"
    if column_type in ("order", "timestamp"):
        fine = _is_number(arrow_type) or arrow.is_timestamp(arrow_type) or arrow.is_date(arrow_type)
        return None if fine else ("whole seconds or a timestamp column", _CAST)
    if column_type == "numeric":
        return None if _is_number(arrow_type) else ("a numeric column", _CAST)
    if column_type == "id":
        return None if _is_number(arrow_type) else ("a string or integer column", _CAST)
    if column_type == "multi_category" and (arrow.is_list(arrow_type) or arrow.is_large_list(arrow_type)):
        arrow_type = arrow_type.value_type
    fine = _is_number(arrow_type) or _is_text(arrow_type) or arrow.is_boolean(arrow_type)
    return None if fine else ("a string column", _CAST)


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
    return (
        arrow.is_string(arrow_type)
        or arrow.is_large_string(arrow_type)
        or arrow.is_binary(arrow_type)
        or arrow.is_large_binary(arrow_type)
    )


def _is_number(arrow_type: pa.DataType) -> bool:
    return arrow.is_integer(arrow_type) or arrow.is_floating(arrow_type) or arrow.is_decimal(arrow_type)
