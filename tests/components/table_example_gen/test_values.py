from __future__ import annotations

import decimal
import fractions
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.table_example_gen import values
from components.table_example_gen.spec import ColumnSpec, ColumnType


def parse(column_type: ColumnType, cell: object, delimiter: str | None = "|") -> values.Values:
    return values.parser(ColumnSpec("x", "x", column_type, "data.x", delimiter))(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("007", "007"),
        ("7.0", "7.0"),
        (" two words ", " two words "),
        ("Zoë 🦊", "Zoë 🦊"),
        ("NULL", "NULL"),
        (7, "7"),
        (2**63 - 1, "9223372036854775807"),
        (17850.0, "17850"),
        (decimal.Decimal("7.00"), "7"),
        (b"b1", "b1"),
    ],
)
def test_ids_are_exact_strings(cell, expected):
    assert parse("id", cell) == [expected]


@pytest.mark.parametrize(
    "cell", ["", "  ", "\u3000", None, math.nan, "a\nb", "a\rb", "a\0b", "a\tb", "a\u2028b", 7.5, 2.0**60, b"\xff"]
)
def test_ids_refused(cell):
    with pytest.raises(values.BadValue):
        parse("id", cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("881250949", 881250949),
        ("881250949.0", 881250949),
        ("8.81250949e8", 881250949),
        (" 5 ", 5),
        ("0", 0),
        ("-0", 0),
        (100_000_000_000, 100_000_000_000),
        (881250949.0, 881250949),
        (decimal.Decimal("5.00"), 5),
        (fractions.Fraction(10, 2), 5),
    ],
)
def test_order_is_exact_seconds(cell, expected):
    assert parse("order", cell) == [expected]


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("881250949000", "milliseconds: divide by 1,000"),
        (881250949_000_000, "microseconds"),
        ("881250949000000000", "nanoseconds"),
        ("881250949.5", "round times down"),
        (fractions.Fraction(1, 1000), "round times down"),
        ("2011-12-01 08:26:00", "convert dates to seconds"),
        ("1_000", "convert dates"),
        ("\u0663", "convert dates"),
        ("1e999", "write seconds"),
        ("1e-999", "round times down"),
        ("1e99999999999", "convert dates"),
        ("-5", "shift the order numbers"),
        ("", "fill it in"),
        (None, "fill it in"),
        (math.inf, "write seconds"),
    ],
)
def test_order_refused_with_a_remedy(cell, remedy):
    with pytest.raises(values.BadValue) as refused:
        parse("order", cell)
    assert remedy in refused.value.remedy


def test_timestamp_features_may_be_missing_or_before_1970():
    assert parse("timestamp", "") == []
    assert parse("timestamp", None) == []
    assert parse("timestamp", math.nan) == []
    assert parse("timestamp", "-86400") == [-86400]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("3.5", [3.5]),
        ("-1e3", [-1000.0]),
        (".5", [0.5]),
        ("5.", [5.0]),
        (" 2 ", [2.0]),
        ("", []),
        (None, []),
        (math.nan, []),
        (4, [4.0]),
        (decimal.Decimal("0.25"), [0.25]),
    ],
)
def test_numeric(cell, expected):
    assert parse("numeric", cell) == expected


@pytest.mark.parametrize("cell", ["nan", "inf", "3,5", "1_0", "0x1", "NA", "1e39", "1e999", math.inf, 1e39, "\u0663"])
def test_numeric_refuses_what_is_no_finite_float32(cell):
    with pytest.raises(values.BadValue):
        parse("numeric", cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("M", ["M"]),
        (" M", [" M"]),
        ("", []),
        (" ", []),
        (None, []),
        (math.nan, []),
        (5, ["5"]),
        (5.0, ["5"]),
        (0.5, ["0.5"]),
        (True, ["true"]),
        ("two\nlines", ["two\nlines"]),
    ],
)
def test_category(cell, expected):
    assert parse("category", cell) == expected
    assert parse("text", cell) == expected


@pytest.mark.parametrize(
    ("cell", "delimiter", "expected"),
    [
        ("Action|Comedy", "|", ["Action", "Comedy"]),
        ("|Action||Comedy|", "|", ["Action", "Comedy"]),
        ("a, b", ", ", ["a", "b"]),
        ("a|b", None, ["a", "b"]),
        ("", "|", []),
        (None, "|", []),
        (["a|b", "", None, 7], "|", ["a|b", "7"]),
        ([], "|", []),
    ],
)
def test_multi_category(cell, delimiter, expected):
    assert parse("multi_category", cell, delimiter) == expected


CELLS = st.one_of(
    st.text(),
    st.none(),
    st.integers(min_value=-(2**64), max_value=2**64),
    st.floats(),
    st.binary(),
    st.booleans(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.fractions(),
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]*)?([eE][+-]?[0-9]{1,6})?", fullmatch=True),
)
FITS = {
    "id": lambda value: isinstance(value, str) and value.strip() and not set(value) & set("\n\r\0"),
    "order": lambda value: 0 <= value <= values.MAX_SECONDS,
    "timestamp": lambda value: abs(value) <= values.MAX_SECONDS,
    "numeric": lambda value: abs(value) <= values.MAX_FLOAT32,
    "category": lambda value: isinstance(value, str) and value.strip(),
    "multi_category": lambda value: isinstance(value, str) and value.strip(),
}


@pytest.mark.parametrize("column_type", FITS)
@given(cell=CELLS)
def test_any_cell_is_parsed_or_refused(column_type, cell):
    try:
        parsed = parse(column_type, cell)
    except values.BadValue:
        return
    assert all(FITS[column_type](value) for value in parsed)
    assert len(parsed) == 1 or column_type not in ("id", "order")
