"""Helpers for `parquet_reader` on top of pyarrow: valid column types, and exact Python cells."""

from __future__ import annotations

import fractions
from typing import Any, Literal, Union

import pyarrow as pa
import pyarrow_hotfix  # noqa: F401  Importing it keeps a file's own pickled types from being run (CVE-2023-47248).
from pyarrow import types as arrow
from pyarrow.parquet import ParquetFile

from shortlist.tables.spec import ColumnType

__all__ = ["ERRORS", "ParquetFile", "Use", "cells", "is_nested", "is_time", "rows_of_groups", "type_problem"]

# The purpose of reading a column.
Use = Union[ColumnType, Literal["filter", "filter_text"]]

ERRORS = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError)

_UNITS_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_A_DAY = 86_400

_CAST = "cast the column when writing the file"


def rows_of_groups(file: ParquetFile) -> list[int]:
    """Returns the number of rows in each row group."""
    return [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]


def is_time(arrow_type: pa.DataType) -> bool:
    """Returns whether a column has a type for times or dates."""
    return bool(arrow.is_timestamp(arrow_type) or arrow.is_date(arrow_type))


def is_list(arrow_type: pa.DataType) -> bool:
    """Returns whether a column has lists, of any or of one length."""
    return bool(arrow.is_list(arrow_type) or arrow.is_large_list(arrow_type) or arrow.is_fixed_size_list(arrow_type))


def is_nested(arrow_type: pa.DataType) -> bool:
    """Returns whether a column has objects, maps or nested lists; a list of plain values is none of them."""
    return type_problem("multi_category", arrow_type) is not None


def cells(array: pa.Array) -> list[Any]:
    """Returns Python cells: times as exact seconds, and text as bytes if it is not UTF-8."""
    if arrow.is_dictionary(array.type):
        array = array.dictionary_decode()
    if arrow.is_timestamp(array.type):
        return _seconds(array.cast(pa.int64()), _UNITS_A_SECOND[array.type.unit])
    if arrow.is_date32(array.type):
        return _seconds(array.cast(pa.int32()), units_a_second=1, seconds_a_unit=_SECONDS_A_DAY)
    if arrow.is_date64(array.type):
        return _seconds(array.cast(pa.int64()), _UNITS_A_SECOND["ms"])
    try:
        return list(array.to_pylist())
    except UnicodeDecodeError:
        # Writers do not check that strings are UTF-8. As bytes, the parser later names the right row.
        return [_bytes(scalar) for scalar in array]


def type_problem(use: Use, arrow_type: pa.DataType) -> tuple[str, str] | None:
    """Returns (the expected type, a remedy) if a column's type does not fit its use, else None."""
    if arrow.is_dictionary(arrow_type):
        arrow_type = arrow_type.value_type
    if arrow.is_null(arrow_type) or _is_text(arrow_type):
        return None
    is_number = _is_number(arrow_type)
    if use in ("id", "order", "subsecond", "timestamp") and _is_short_float(arrow_type):
        return "int64 or a string", "a float this short has already lost digits: cast the original values"
    is_plain = is_number or arrow.is_boolean(arrow_type)
    if use == "filter_text" and is_time(arrow_type):
        return "a string column to compare with a text", "compare times with <, <=, > or >= in the filter"
    if use == "vector":
        is_valid = is_list(arrow_type) and _is_number(arrow_type.value_type)
        return None if is_valid else ("a column of lists of numbers", _CAST)
    if use == "multi_category" and is_list(arrow_type):
        arrow_type = arrow_type.value_type
        is_plain = _is_number(arrow_type) or arrow.is_boolean(arrow_type) or _is_text(arrow_type)
    is_number_or_time = is_number or is_time(arrow_type)
    expected, is_valid = {
        "id": ("a string or integer column", is_number),
        "order": ("numbers, texts or a timestamp column", is_number_or_time),
        "subsecond": ("numbers, texts or a timestamp column", is_number_or_time),
        "timestamp": ("numbers, texts or a timestamp column", is_number_or_time),
        "numeric": ("a numeric column", is_number),
        "filter": ("a column of strings, numbers or times to filter by", is_plain or is_time(arrow_type)),
    }.get(use, ("a string column", is_plain))
    return None if is_valid else (expected, _CAST)


def _seconds(array: pa.Array, units_a_second: int, seconds_a_unit: int = 1) -> list[int | fractions.Fraction | None]:
    seconds: list[int | fractions.Fraction | None] = []
    for units in array.to_pylist():
        if units is None:
            seconds.append(None)
        elif units % units_a_second == 0:
            seconds.append(units // units_a_second * seconds_a_unit)
        else:
            seconds.append(fractions.Fraction(units, units_a_second))
    return seconds


def _bytes(scalar: pa.Scalar) -> Any:
    """Returns a text as bytes, a list of texts as a list of bytes, and None for null."""
    if not scalar.is_valid:
        return None
    if isinstance(scalar, (pa.StringScalar, pa.LargeStringScalar)):
        return scalar.as_buffer().to_pybytes()
    return [value.as_buffer().to_pybytes() if value.is_valid else None for value in scalar.values]


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
