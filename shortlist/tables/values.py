"""Parsers for cells: a cell becomes the values of its feature, or a `BadCell` with the reason.

`shortlist.scalars` documents the Python types of cells per file format.
"""

from __future__ import annotations

import decimal
import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Set
from typing import TYPE_CHECKING, Any, Union

from shortlist.quoting import closest, listed, short_repr
from shortlist.scalars import (
    BadCell,
    has_decimal_comma,
    is_exact_whole,
    iso_seconds,
    number_of,
    text_of,
    with_point,
)
from shortlist.tables.clocks import Clock, clock
from shortlist.tables.spec import DEFAULT_DELIMITER, ColumnSpec
from shortlist.tables.timestamps import PER_SECOND, latest_allowed

if TYPE_CHECKING:
    from shortlist.tables.vector_files import Vectors

Values = Union[list[str], list[int], list[float]]
Parser = Callable[[Any], Values]

# Largest timestamp of a feature: year 5138 in seconds, and 1973 in milliseconds. Larger numbers are milliseconds.
MAX_SECONDS = 10**11
MAX_FLOAT32 = float.fromhex("0x1.fffffep+127")
# The usual limit of a URL. Longer cells are probably not ids but another column.
MAX_ID_CHARACTERS = 2048

# Line ends and NUL would break vocabulary files, which have one id per line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECONDS = "seconds since 1970 or an ISO 8601 time"


def parsers(columns: Iterable[ColumnSpec], time_columns: Set[str] = frozenset(), decimal: str = ".") -> list[Parser]:
    """Returns one parser per column: a function from a cell to its values, which raises `BadCell`.

    Args:
      columns: The columns to read.
      time_columns: Columns with exact seconds as cells, such as Parquet's own times.
      decimal: Decimal mark of numbers in text.
    """
    latest = latest_allowed()
    clocks: dict[str, Clock] = {}

    def parser(column: ColumnSpec) -> Parser:
        if column.type in ("order", "subsecond"):
            # One clock for both columns, because both parse the same cell.
            if column.column not in clocks:
                is_time = column.column in time_columns
                clocks[column.column] = clock(
                    column.unit or "order", column.earliest or 0, latest, is_time, column.time_format
                )
            time = clocks[column.column]
            return time.seconds if column.type == "order" else time.nanos
        if column.type == "multi_category":
            return functools.partial(_multi_category, delimiter=column.delimiter or DEFAULT_DELIMITER)
        if column.vectors is not None:
            # NumPy is imported for such columns alone.
            from shortlist.tables import vector_files

            vectors = vector_files.read(column.vectors, column.dim or 0, column.key)
            return functools.partial(_vector_of_id, vectors=vectors, column=column)
        if column.type == "vector":
            return functools.partial(_vector, dim=column.dim or 0, allows_missing=bool(column.allows_missing))
        if column.type == "weight" and column.weights is not None:
            return functools.partial(_weight_of_type, weights=column.weights)
        return _PARSERS[column.type]

    if decimal == ".":
        return [parser(column) for column in columns]
    return [_with_comma(parser(column)) if _is_number(column) else parser(column) for column in columns]


def _is_number(column: ColumnSpec) -> bool:
    if column.type == "weight":
        return column.weights is None
    return column.type in ("order", "subsecond", "numeric", "timestamp") and column.time_format is None


def _with_comma(parse: Parser) -> Parser:
    """Returns a parser for cells with decimal commas."""
    return lambda cell: parse(with_point(cell))


def _id(cell: Any) -> list[str]:
    if isinstance(cell, float) and not math.isnan(cell) and not is_exact_whole(cell):
        raise BadCell(
            "a string or a whole number",
            short_repr(cell),
            "write ids as strings or integers: a float may have lost digits",
        )
    if isinstance(cell, bool):
        raise BadCell("a string or a whole number", text_of(cell) or "", "write ids as strings or integers")
    text = text_of(cell)
    if text is None:
        raise BadCell("an id", "null", "fill it in or drop the row")
    if not text.strip():
        raise BadCell("an id", "a blank", "fill it in or drop the row")
    if _CONTROL.search(text):
        raise BadCell("an id without control characters", short_repr(text), "strip line ends, tabs and NULs from ids")
    if len(text) > MAX_ID_CHARACTERS:
        raise BadCell(
            f"an id of at most {MAX_ID_CHARACTERS:,} characters",
            f"{len(text):,}, {short_repr(text)}",
            "check the name of the id column, or hash long ids",
        )
    return [text]


def _category(cell: Any) -> list[str]:
    text = text_of(cell)
    if text is None or not text.strip():
        return []
    return [_without_nul(text)]


def _multi_category(cell: Any, delimiter: str) -> list[str]:
    if isinstance(cell, list):
        return [part for element in cell for part in _category(element)]
    text = text_of(cell)
    if text is None:
        return []
    return [part for part in _without_nul(text).split(delimiter) if part.strip()]


def _numeric(cell: Any) -> list[float]:
    number = _float(cell, "a finite number or an empty cell", "leave missing numbers empty")
    return [] if number is None else [number]


def _vector(cell: Any, dim: int, allows_missing: bool) -> list[float]:
    """Returns the numbers of a list, or of a text that is one in JSON; an empty list for a missing vector."""
    expected = f"a vector of {dim:,} finite numbers"
    if isinstance(cell, str) and cell.strip():
        try:
            cell = json.loads(cell)
        except ValueError:
            raise BadCell(expected, short_repr(cell), "write a list, such as [0.5, -1.25]") from None
    if cell is None or cell == "" or cell == [] or (isinstance(cell, str) and not cell.strip()):
        if allows_missing:
            return []
        raise BadCell(expected, "none", "fill it in, or set `missing: zero` for zeros")
    if not isinstance(cell, list):
        raise BadCell(expected, short_repr(cell), "name a column of lists of numbers")
    if len(cell) != dim:
        raise BadCell(expected, f"{len(cell):,}", "correct the row, or `dim` of the feature")
    numbers = []
    for position, part in enumerate(cell):
        is_number = isinstance(part, int | float | decimal.Decimal) and not isinstance(part, bool)
        number = float(part) if is_number else math.nan
        if not math.isfinite(number) or abs(number) > MAX_FLOAT32:
            raise BadCell(expected, f"{short_repr(part)} at position {position}, counted from 0", "correct the row")
        numbers.append(number)
    return numbers


def _vector_of_id(cell: Any, vectors: Vectors, column: ColumnSpec) -> list[float]:
    """Returns the vector of an id, from a file of its own."""
    [item] = _id(cell)
    assert column.vectors is not None
    expected = f"a vector of {column.dim:,} finite numbers in {column.vectors.path} for {short_repr(item)}"
    found = vectors.find(item)
    if found is None:
        if column.allows_missing:
            return []
        remedy = f"add it to {column.vectors.ids} and the matrix, or set {column.key}.missing: zero"
        raise BadCell(expected, "none", remedy)
    row, vector = found
    bad = next((position for position, number in enumerate(vector) if not math.isfinite(number)), None)
    if bad is not None:
        got = f"{vector[bad]} in row {row:,}, column {bad:,}, counted from 0"
        raise BadCell(expected, got, "correct the matrix")
    return vector


def _weight(cell: Any) -> list[float]:
    expected = "a weight, a finite number that is 0 or more"
    number = _float(cell, expected, "correct the row, or set weights for types in data.interactions.weight.values")
    if number is None:
        got = "null" if cell is None else "a blank"
        raise BadCell(expected, got, "fill it in or drop the row")
    if number < 0.0:
        raise BadCell(expected, short_repr(cell), "write 0 for rows that are history but never a train target")
    return [number]


def _weight_of_type(cell: Any, weights: dict[str, float]) -> list[float]:
    text = text_of(cell)
    if text in weights:
        return [weights[text]]
    expected = f"one of {listed(weights)}"
    remedy = "add it to data.interactions.weight.values, or drop such rows with data.interactions.filter"
    if text is None:
        raise BadCell(expected, "null", remedy)
    close = closest(text, weights)
    if close:
        remedy += f"; did you mean {close!r}?"
    got = short_repr(text) if text.strip() else "a blank"
    raise BadCell(expected, got, remedy)


def _timestamp(cell: Any) -> list[int]:
    """Returns whole seconds, which may be before 1970. Unlike the log's timestamp, a feature needs no fractions."""
    try:
        number = number_of(cell)
    except BadCell:
        number = _iso_or_refused(cell)
    if number is None:
        return []
    if isinstance(number, bool):
        raise BadCell(_SECONDS, short_repr(cell), "leave missing times empty")
    # The range first: int() of infinity fails.
    if not -MAX_SECONDS <= number <= MAX_SECONDS:
        raise BadCell(_SECONDS, short_repr(cell), _remedy_for_unit(number))
    return [math.floor(number)]


def _iso_or_refused(cell: Any) -> Any:
    try:
        return iso_seconds(text_of(cell) or "")
    except BadCell:
        raise BadCell(
            _SECONDS, short_repr(cell), "write times like 2011-12-09T12:50:00Z, and leave missing times empty"
        ) from None


def _remedy_for_unit(number: Any) -> str:
    for unit, per_second in PER_SECOND.items():
        if 0 < number <= MAX_SECONDS * per_second:
            return f"these look like {unit}: divide by {per_second:,}"
    return "write seconds"


def _float(cell: Any, expected: str, remedy: str) -> float | None:
    """Returns a number in the range of a 32-bit float; None if the cell is blank or NaN."""
    try:
        number = number_of(cell)
    except BadCell:
        if has_decimal_comma(cell):
            remedy = 'set `decimal: ","` of the table if its numbers have decimal commas'
        raise BadCell(expected, short_repr(cell), remedy) from None
    if number is None:
        return None
    if number is True or number is False:
        raise BadCell(expected, text_of(number) or "", remedy)
    # The check is before the conversion, because float() of a large int raises OverflowError.
    if not -MAX_FLOAT32 <= number <= MAX_FLOAT32:
        raise BadCell("a finite number in the range of a 32-bit float", short_repr(cell), "leave it empty or clip it")
    return float(number)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise BadCell("text without NUL characters", short_repr(text), "strip them")
    return text


_PARSERS: dict[str, Parser] = {
    "id": _id,
    "category": _category,
    "text": _category,
    "numeric": _numeric,
    "timestamp": _timestamp,
    "weight": _weight,
}
