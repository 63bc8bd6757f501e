"""One cell of a table -> the values of its feature, or a `BadCell` that says why not.

What a cell may be, format by format, stands in `shortlist.scalars`.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Set
from typing import Any, Union

from shortlist.scalars import BadCell, is_exact_whole, iso_seconds, number_of, shown, text_of
from shortlist.tables.clocks import Clock, clock
from shortlist.tables.spec import DEFAULT_DELIMITER, ColumnSpec
from shortlist.tables.timestamps import PER_SECOND, latest_allowed

Values = Union[list[str], list[int], list[float]]
Parser = Callable[[Any], Values]

# A feature's time: year 5138 in seconds, 1973 in milliseconds: nobody logs what lies between the two readings.
MAX_SECONDS = 10**11
MAX_FLOAT32 = float.fromhex("0x1.fffffep+127")
# As long as a URL may be; more is another column taken for the id.
MAX_ID_CHARACTERS = 2048

# Line ends and NUL would break vocabulary files, which hold one id a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SECONDS = "seconds since 1970 or an ISO 8601 time"


def parsers(columns: Iterable[ColumnSpec], time_columns: Set[str] = frozenset()) -> list[Parser]:
    """Returns for each column the function from a cell to its values; it raises `BadCell`.

    Args:
      columns: What is read.
      time_columns: Columns of the file whose cells are exact seconds, as Parquet's times are.
    """
    latest = latest_allowed()
    clocks: dict[str, Clock] = {}

    def parser(column: ColumnSpec) -> Parser:
        if column.type in ("order", "subsecond"):
            if column.column not in clocks:
                is_time = column.column in time_columns
                clocks[column.column] = clock(column.unit or "order", column.earliest or 0, latest, is_time)
            time = clocks[column.column]
            return time.seconds if column.type == "order" else time.nanos
        if column.type == "multi_category":
            return functools.partial(_multi_category, delimiter=column.delimiter or DEFAULT_DELIMITER)
        if column.type == "weight":
            return _weight if column.weights is None else functools.partial(_weight_of, weights=column.weights)
        return _PARSERS[column.type]

    return [parser(column) for column in columns]


def _id(cell: Any) -> list[str]:
    if isinstance(cell, float) and not math.isnan(cell) and not is_exact_whole(cell):
        raise BadCell(
            "a string or a whole number", shown(cell), "write ids as strings or integers: a float may have lost digits"
        )
    if isinstance(cell, bool):
        raise BadCell("a string or a whole number", text_of(cell) or "", "write ids as strings or integers")
    text = text_of(cell)
    if text is None or not text.strip():
        raise BadCell("an id", "a blank" if text is not None else "null", "fill it in or drop the row")
    if _CONTROL.search(text):
        raise BadCell("an id without control characters", shown(text), "strip line ends, tabs and NULs from ids")
    if len(text) > MAX_ID_CHARACTERS:
        raise BadCell(
            f"an id of at most {MAX_ID_CHARACTERS:,} characters",
            f"{len(text):,}, {shown(text)}",
            "is this the id's column? hash long ids",
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
    number = _float(cell, "a finite number or an empty cell", "leave missing numbers empty, use a point for decimals")
    return [] if number is None else [number]


def _weight(cell: Any) -> list[float]:
    expected = "a weight, a finite number that is 0 or more"
    number = _float(cell, expected, "correct the row, or give types their weights in data.interactions.weight.values")
    if number is None:
        raise BadCell(expected, "null" if cell is None else "a blank", "fill it in or drop the row")
    if number < 0.0:
        raise BadCell(expected, shown(cell), "write 0 for what is history and never a train target")
    return [number]


def _weight_of(cell: Any, weights: dict[str, float]) -> list[float]:
    text = text_of(cell)
    weight = weights.get(text) if text is not None else None
    if weight is not None:
        return [weight]
    remedy = "add it to data.interactions.weight.values, or drop such rows with data.interactions.filter"
    close = difflib.get_close_matches(text or "", weights, n=1)
    got = "null" if text is None else shown(text) if text.strip() else "a blank"
    raise BadCell(
        f"one of {', '.join(map(repr, weights))}", got, remedy + (f"; did you mean {close[0]!r}?" if close else "")
    )


def _timestamp(cell: Any) -> list[int]:
    """Returns whole seconds: a feature needs no more, and may lie before 1970."""
    try:
        number = number_of(cell)
    except BadCell:
        number = _iso_or_refused(cell)
    if number is None:
        return []
    if isinstance(number, bool):
        raise BadCell(_SECONDS, shown(cell), "leave missing times empty")
    # The range first: int() of infinity fails.
    if not -MAX_SECONDS <= number <= MAX_SECONDS:
        raise BadCell(_SECONDS, shown(cell), _remedy_for_unit(number))
    return [math.floor(number)]


def _iso_or_refused(cell: Any) -> Any:
    try:
        return iso_seconds(text_of(cell) or "")
    except BadCell:
        raise BadCell(
            _SECONDS, shown(cell), "write times like 2011-12-09T12:50:00Z, leave missing ones empty"
        ) from None


def _remedy_for_unit(number: Any) -> str:
    for unit, per_second in PER_SECOND.items():
        if 0 < number <= MAX_SECONDS * per_second:
            return f"these look like {unit}: divide by {per_second:,}"
    return "write seconds"


def _float(cell: Any, expected: str, remedy: str) -> float | None:
    """Returns a number that a 32-bit float can hold; None where the cell is blank or NaN."""
    try:
        number = number_of(cell)
    except BadCell:
        raise BadCell(expected, shown(cell), remedy) from None
    if number is None:
        return None
    if number is True or number is False:
        raise BadCell(expected, text_of(number) or "", remedy)
    # Exact numbers are compared before they become floats: a large int raises OverflowError.
    if not -MAX_FLOAT32 <= number <= MAX_FLOAT32:
        raise BadCell("a finite number in the range of a 32-bit float", shown(cell), "leave it empty or clip it")
    return float(number)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise BadCell("text without NUL characters", shown(text), "strip them")
    return text


_PARSERS: dict[str, Parser] = {
    "id": _id,
    "category": _category,
    "text": _category,
    "numeric": _numeric,
    "timestamp": _timestamp,
}
