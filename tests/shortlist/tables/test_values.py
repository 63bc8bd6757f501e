from __future__ import annotations

import decimal
import fractions
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.scalars import BadCell
from shortlist.tables import values
from shortlist.tables.spec import ColumnSpec, ColumnType


def parser_of(column: ColumnSpec) -> values.Parser:
    [parser] = values.parsers([column])
    return parser


def parse(column_type: ColumnType, cell: object, delimiter: str | None = "|") -> values.Values:
    return parser_of(ColumnSpec("x", "x", column_type, "data.x", delimiter))(cell)


def weight(of_types: dict[str, float] | None) -> ColumnSpec:
    return ColumnSpec("weight", "event", "weight", "data.interactions.weight.column", weights=of_types)


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
    "cell",
    [
        "",
        "  ",
        "\u3000",
        None,
        math.nan,
        "a\nb",
        "a\rb",
        "a\0b",
        "a\tb",
        "a\u2028b",
        7.5,
        2.0**60,
        b"\xff",
        True,
        [],
        {},
    ],
)
def test_ids_refused(cell):
    with pytest.raises(BadCell):
        parse("id", cell)


def test_ids_are_not_as_long_as_texts():
    assert parse("id", "x" * 2048) == ["x" * 2048]
    with pytest.raises(BadCell) as refused:
        parse("id", "x" * 2049)
    assert refused.value.expected == "an id of at most 2,048 characters"
    assert refused.value.got.startswith("2,049, 'xxx")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", []),
        (None, []),
        (math.nan, []),
        ("-86400", [-86400]),
        ("5.9", [5]),
        ("-0.5", [-1]),
        (fractions.Fraction(3, 2), [1]),
        (decimal.Decimal("1e2"), [100]),
        ("1970-01-02", [86400]),
        ("1970-01-01T00:00:01.5Z", [1]),
    ],
)
def test_timestamp_features_are_whole_seconds_of_any_time_or_missing(cell, expected):
    assert parse("timestamp", cell) == expected


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("881250949000", "milliseconds: divide by 1,000"),
        (881250949_000_000, "microseconds: divide by 1,000,000"),
        ("881250949000000000", "nanoseconds"),
        ("yesterday", "2011-12-09T12:50:00Z"),
        (True, "leave missing times empty"),
        (math.inf, "write seconds"),
        ([1], "2011-12-09"),
    ],
)
def test_timestamp_features_refused_with_a_remedy(cell, remedy):
    with pytest.raises(BadCell) as refused:
        parse("timestamp", cell)
    assert remedy in refused.value.remedy


def test_weights_of_types():
    parse_event = parser_of(weight({"view": 1.0, "purchase": 10.0, "7": 0.0}))
    assert parse_event("view") == [1.0]
    assert parse_event("purchase") == [10.0]
    assert parse_event(7) == [0.0]
    for cell, got in (("purchse", "'purchse'"), ("", "a blank"), (None, "null"), ("View ", "'View '")):
        with pytest.raises(BadCell) as refused:
            parse_event(cell)
        assert refused.value.expected == "one of 'view', 'purchase', '7'"
        assert refused.value.got == got
        assert "data.interactions.weight.values" in refused.value.remedy
    with pytest.raises(BadCell, match="did you mean 'purchase'"):
        parse_event("purchse")


def test_weights_of_their_own():
    assert parser_of(weight(None))("0.5") == [0.5]
    assert parser_of(weight(None))(0) == [0.0]


@pytest.mark.parametrize("cell", ["-1", "nan", "inf", "view", "", None, math.nan, math.inf, "1e39", True, [1]])
def test_weights_refused(cell):
    with pytest.raises(BadCell):
        parser_of(weight(None))(cell)


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
def test_numeric_refuses_other_values_than_finite_float32(cell):
    with pytest.raises(BadCell):
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
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
    st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]*)?([eE][+-]?[0-9]{1,6})?", fullmatch=True),
)
FITS = {
    "id": lambda value: isinstance(value, str) and value.strip() and not set(value) & set("\n\r\0"),
    "order": lambda value: 0 <= value < 2**63,
    "timestamp": lambda value: abs(value) <= values.MAX_SECONDS,
    "numeric": lambda value: abs(value) <= values.MAX_FLOAT32,
    "subsecond": lambda value: 0 <= value < 10**9,
    "weight": lambda value: 0.0 <= value <= values.MAX_FLOAT32,
    "category": lambda value: isinstance(value, str) and value.strip(),
    "multi_category": lambda value: isinstance(value, str) and value.strip(),
}


@pytest.mark.parametrize("column_type", FITS)
@given(cell=CELLS)
def test_any_cell_is_parsed_or_refused(column_type, cell):
    try:
        parsed = parse(column_type, cell)
    except BadCell:
        return
    assert all(FITS[column_type](value) for value in parsed)
    assert len(parsed) == 1 or column_type not in ("id", "order", "weight")
