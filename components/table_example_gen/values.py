"""One cell of a table -> the values of its feature, or a refusal that says why.

A CSV cell is a string. A Parquet cell is what `readers` makes of its column: a
string, bytes, bool, int, float, Decimal, list, `Fraction` (a time with part
seconds) or None.
"""

from __future__ import annotations

import decimal
import fractions
import functools
import math
import re
from collections.abc import Callable
from typing import Any, Union

from components.table_example_gen.spec import DEFAULT_DELIMITER, ColumnSpec

Values = Union[list[str], list[int], list[float]]
Parser = Callable[[Any], Values]

# Year 5138 in seconds, 1973 in milliseconds: nothing that people log lies between the two readings.
MAX_SECONDS = 10**11
# Whole numbers up to here are exact in a double: beyond it, two ids may have become one.
MAX_EXACT_FLOAT = 2**53
MAX_FLOAT32 = float.fromhex("0x1.fffffep+127")

# Line ends and NUL would break vocabulary files, which hold one id a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"[+-]?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]{1,3})?")  # a longer exponent overflows Decimal
_DIGITS = re.compile(r"[0-9]{1,12}")
_SHOWN = 60

_NO_NUMBER = "a finite number or an empty cell"
_WHOLE_SECONDS = "whole seconds since 1970 or an order number"


class BadValue(Exception):
    """A cell that its column's type refuses."""

    def __init__(self, expected: str, got: str, remedy: str):
        super().__init__(expected, got, remedy)
        self.expected = expected
        self.got = got
        self.remedy = remedy


def parser(column: ColumnSpec) -> Parser:
    """Returns the function from a cell of this column to its values; it raises `BadValue`."""
    if column.type == "multi_category":
        return functools.partial(_multi_category, delimiter=column.delimiter or DEFAULT_DELIMITER)
    return _PARSERS[column.type]


def shown(value: object) -> str:
    """Returns a value as it stands in an error message: escaped, on one line, not too long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _id(cell: Any) -> list[str]:
    if isinstance(cell, float) and not math.isnan(cell) and not _is_exact_whole(cell):
        raise BadValue(
            "a string or a whole number", shown(cell), "write ids as strings or integers: a float may have lost digits"
        )
    text = _text(cell)
    if text is None or not text.strip():
        raise BadValue("an id", "a blank" if text is not None else "null", "fill it in or drop the row")
    if _CONTROL.search(text):
        raise BadValue("an id without control characters", shown(text), "strip line ends, tabs and NULs from ids")
    return [text]


def _category(cell: Any) -> list[str]:
    text = _text(cell)
    if text is None or not text.strip():
        return []
    return [_without_nul(text)]


def _multi_category(cell: Any, delimiter: str) -> list[str]:
    if isinstance(cell, list):
        return [part for element in cell for part in _category(element)]
    text = _text(cell)
    if text is None:
        return []
    return [part for part in _without_nul(text).split(delimiter) if part.strip()]


def _numeric(cell: Any) -> list[float]:
    if isinstance(cell, (str, bytes)):
        text = (_text(cell) or "").strip()
        if not text:
            return []
        if not _NUMBER.fullmatch(text):
            raise BadValue(_NO_NUMBER, shown(cell), "leave missing numbers empty and use a point for decimals")
        number = float(text)
    elif cell is None:
        return []
    else:
        number = float(cell)
    if math.isnan(number):
        return []
    if not abs(number) <= MAX_FLOAT32:
        raise BadValue("a finite number in the range of a 32-bit float", shown(cell), "leave it empty or clip it")
    return [number]


def _order(cell: Any) -> list[int]:
    seconds = _seconds(cell)
    if seconds is None:
        raise BadValue(_WHOLE_SECONDS, "a blank" if cell is not None else "null", "fill it in or drop the row")
    if seconds < 0:
        raise BadValue(f"{_WHOLE_SECONDS}, 0 or more", shown(cell), "drop the row or shift the order numbers")
    return [seconds]


def _timestamp(cell: Any) -> list[int]:
    seconds = _seconds(cell)
    return [] if seconds is None else [seconds]


def _seconds(cell: Any) -> int | None:
    """Returns whole seconds; None where the cell is empty."""
    if isinstance(cell, str) and _DIGITS.fullmatch(cell):
        number: Any = int(cell)
    else:
        number = _exact_number(cell)
    if number is None:
        return None
    # The range first: int() of a Decimal like 1e999999 would fill the memory.
    if not -MAX_SECONDS <= number <= MAX_SECONDS:
        raise BadValue(_WHOLE_SECONDS, shown(cell), _remedy_for_unit(number))
    if number != int(number):
        raise BadValue(_WHOLE_SECONDS, f"part seconds, {shown(cell)}", "round times down to whole seconds")
    return int(number)


def _exact_number(cell: Any) -> int | decimal.Decimal | float | fractions.Fraction | None:
    if isinstance(cell, (str, bytes)):
        text = (_text(cell) or "").strip()
        if not text:
            return None
        if not _TIME.fullmatch(text):
            raise BadValue(
                _WHOLE_SECONDS, shown(cell), "convert dates to seconds, e.g. pandas: column.astype('int64') // 10**9"
            )
        return decimal.Decimal(text)
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, decimal.Decimal) and not cell.is_finite():
        return None
    return cell


def _remedy_for_unit(number: Any) -> str:
    for unit, per_second in (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)):
        if 0 < number <= MAX_SECONDS * per_second:
            return f"these look like {unit}: divide by {per_second:,}"
    return "write seconds"


def _text(cell: Any) -> str | None:
    """Returns the exact text of a cell; None where it is null. A whole number never ends in `.0`."""
    if isinstance(cell, str) or cell is None:
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, bytes):
        try:
            return cell.decode("utf-8")
        except UnicodeDecodeError:
            raise BadValue("UTF-8 text", shown(cell), "write the column as UTF-8 strings") from None
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if _is_exact_whole(cell) else repr(cell)
    if isinstance(cell, decimal.Decimal):
        return str(int(cell)) if cell == cell.to_integral_value() else format(cell, "f")
    return str(cell)


def _is_exact_whole(cell: float) -> bool:
    return cell.is_integer() and abs(cell) <= MAX_EXACT_FLOAT


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise BadValue("text without NUL characters", shown(text), "strip them")
    return text


_PARSERS: dict[str, Parser] = {
    "id": _id,
    "order": _order,
    "category": _category,
    "text": _category,
    "numeric": _numeric,
    "timestamp": _timestamp,
}
