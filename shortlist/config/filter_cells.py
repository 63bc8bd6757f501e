"""Cells of a row filter, compared with the filter's constants.

Numbers are compared exactly, whatever their types: a float cell with a Decimal constant, or a time with nanoseconds.
"""

from __future__ import annotations

import decimal
import fractions
from collections.abc import Callable, Mapping
from typing import Any

from shortlist.scalars import BadCell, formatted_seconds, iso_seconds, number_of, text_of, with_point

Row = Mapping[str, Any]


class FilterCellError(Exception):
    """A cell that the filter cannot compare, with its column."""

    def __init__(self, column: str, bad: BadCell):
        super().__init__(column, bad)
        self.column = column
        self.bad = bad


def text_in(row: Row, column: str) -> str | None:
    """Returns the cell's text; None if it is blank."""
    text: str | None = _read(text_of, row, column)
    if text and text.strip():
        return text
    return None


def equals(column: str, constant: Any, read: Callable[[Any], Any]) -> Callable[[Row], bool | None]:
    """Returns a test for equality, whose result is None for a blank cell.

    Args:
      column: The cell's column.
      constant: A text or an exact number.
      read: Returns the number of a cell, or None if it is blank; not called where `constant` is a text.
    """
    if isinstance(constant, str):

        def same_text(row: Row) -> bool | None:
            text = text_in(row, column)
            if text is None:
                return None
            return text == constant

        return same_text

    like = _like(constant)

    def same_number(row: Row) -> bool | None:
        number = _read(read, row, column)
        if number is None:
            return None
        return bool(number == like.get(type(number), constant))

    return same_number


def compares(
    column: str, compare: Callable[[Any, Any], bool], constant: Any, read: Callable[[Any], Any]
) -> Callable[[Row], bool]:
    """Returns a test that compares a cell with a number by its order; a blank cell fails it.

    Args:
      column: The cell's column.
      compare: Takes the cell's number and the constant, for example `operator.lt`.
      constant: An exact number.
      read: Returns the number of a cell, or None if it is blank.
    """
    like = _like(constant)

    def test(row: Row) -> bool:
        try:
            value = read(row[column])
        except BadCell as bad:
            raise FilterCellError(column, bad) from None
        return value is not None and compare(value, like.get(type(value), constant))

    return test


def _like(constant: Any) -> dict[type, Any]:
    """Returns a number converted to each type that Python does not compare exactly with other types."""
    return {
        float: float(constant),
        fractions.Fraction: fractions.Fraction(constant),
        decimal.Decimal: _decimal(constant),
    }


def _decimal(number: Any) -> decimal.Decimal:
    """Returns an int, a Decimal or a time as an exact Decimal; times are not finer than nanoseconds."""
    if not isinstance(number, fractions.Fraction):
        return decimal.Decimal(number)
    return decimal.Decimal(int(number * 10**9)).scaleb(-9)


def _read(read: Callable[[Any], Any], row: Row, column: str) -> Any:
    try:
        return read(row[column])
    except BadCell as bad:
        raise FilterCellError(column, bad) from None


def seconds_of(cell: Any, time_format: str | None) -> Any:
    """Returns the exact seconds of a text, or of a Parquet time, whose cell already is in seconds."""
    if not isinstance(cell, str | bytes):
        return number_of(cell)
    text = text_of(cell) or ""
    if not text.strip():
        return None
    if time_format is not None:
        return formatted_seconds(text.strip(), time_format)
    return iso_seconds(text)


def number_with_comma(cell: Any) -> Any:
    """Returns the exact number of a cell whose texts have a decimal comma; None if it is blank."""
    return number_of(with_point(cell))
