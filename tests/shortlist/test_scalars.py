from __future__ import annotations

import decimal
import fractions
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.scalars import BadCell, iso_seconds, number_of, short_repr, text_of


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, None),
        ("007", "007"),
        (b"\xc3\xa9", "é"),
        (7, "7"),
        (7.0, "7"),
        (0.5, "0.5"),
        (math.nan, None),
        (True, "true"),
        (False, "false"),
        (decimal.Decimal("7.00"), "7"),
        (decimal.Decimal("7.50"), "7.50"),
        (decimal.Decimal("1e3"), "1000"),
        (decimal.Decimal("NaN"), None),
        (2**70, str(2**70)),
        (2.0**70, "1.1805916207174113e+21"),
    ],
)
def test_text(cell, expected):
    assert text_of(cell) == expected


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        (b"\xff", "UTF-8"),
        (["a"], "a list, ['a']"),
        ({"a": 1}, "an object, {'a': 1}"),
        (decimal.Decimal("1e999999999"), "1,000 digits"),
        (decimal.Decimal("1e-999999999"), "1,000 digits"),
    ],
)
def test_no_text(cell, part):
    with pytest.raises(BadCell) as refused:
        text_of(cell)
    assert part in f"{refused.value.expected}, {refused.value.got}"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("0.1", decimal.Decimal("0.1")),
        ("-1e3", -1000),
        (b"2", 2),
        ("9" * 300, int("9" * 300)),
        ("", None),
        (" ", None),
        (None, None),
        (math.nan, None),
        (0.1, 0.1),
        (fractions.Fraction(1, 3), fractions.Fraction(1, 3)),
    ],
)
def test_numbers_are_exact(cell, expected):
    assert number_of(cell) == expected


@pytest.mark.parametrize(
    "cell",
    ["x", "1_0", "0x1", "nan", "inf", "\u0663", "1e9999", "1 2", "9" * 1001, decimal.Decimal("1e9999"), [1], {}],
)
def test_no_number(cell):
    with pytest.raises(BadCell):
        number_of(cell)


# 2011-12-09 12:50:00 UTC: 15,317 days after 1970 are 1,323,388,800 s, and 12:50 are 46,200 s.
MOMENT = 1_323_435_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2011-12-09 12:50", MOMENT),
        ("2011-12-09T12:50:00", MOMENT),
        (" 2011-12-09T12:50:00Z ", MOMENT),
        ("2011-12-09 12:50:00 UTC", MOMENT),
        ("2011-12-09 13:50:00+01:00", MOMENT),
        ("2011-12-09 07:20:00-0530", MOMENT),
        ("2011-12-09 14:50:00 +02", MOMENT),
        ("2011-12-09", MOMENT - 46_200),
        ("2011-12-09 12:50:00.000000001", MOMENT + fractions.Fraction(1, 10**9)),
        ("2011-12-09 12:50:00,5Z", MOMENT + fractions.Fraction(1, 2)),
        ("1969-12-31T23:59:59.25", fractions.Fraction(-3, 4)),
        ("0001-01-01T00:00+14:00", -62_135_596_800 - 14 * 3600),
    ],
)
def test_iso_8601(text, expected):
    assert iso_seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "12/1/2010 8:26",
        "2011-13-01",
        "2011-02-30",
        "2011-12-09 24:00",
        "2011-12-09 12",
        "2011-12-09 12:50.5",
        "2011-12-09 12:50:00.1234567890",
        "2011-12-09 12:50 CET",
        "2011-12-09 12:50 +99:99",
        "20111209T125000Z",
        "\u0662\u0660\u0661\u0661-12-09",
    ],
)
def test_no_iso_8601(text):
    with pytest.raises(BadCell, match="2011-12-09T12:50:00Z"):
        iso_seconds(text)


@given(moment=st.datetimes(), part=st.integers(0, 10**9 - 1))
def test_iso_8601_is_exact_to_the_nanosecond(moment, part):
    seconds = iso_seconds(moment.replace(microsecond=0).isoformat() + f".{part:09}")
    assert (seconds - part / fractions.Fraction(10**9)).denominator == 1
    assert seconds % 1 == fractions.Fraction(part, 10**9)


def test_short_repr_is_short_and_one_line():
    assert short_repr("a\nb") == r"'a\nb'"
    assert len(short_repr("x" * 10**6)) == 60
