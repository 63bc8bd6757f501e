from __future__ import annotations

import decimal
import fractions
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.scalars import BadCell
from shortlist.tables.clocks import NANOS, clock

EARLIEST = 631_152_000  # 1990-01-01
LATEST = 1_700_000_000  # 2023-11-14
MOMENT = 881_250_949  # 1997-12-04


def read(unit, cell, is_time_column=False, earliest=EARLIEST):
    reading = clock(unit, earliest, LATEST, is_time_column)
    return reading.seconds(cell)[0], reading.nanos(cell)[0]


@pytest.mark.parametrize(
    ("unit", "cell", "expected"),
    [
        ("seconds", "881250949", (MOMENT, 0)),
        ("seconds", "881250949.0", (MOMENT, 0)),
        ("seconds", " 8.81250949e8 ", (MOMENT, 0)),
        ("seconds", 881250949.0, (MOMENT, 0)),
        ("seconds", decimal.Decimal("881250949.00"), (MOMENT, 0)),
        ("milliseconds", "881250949123", (MOMENT, 123_000_000)),
        ("milliseconds", 881250949123, (MOMENT, 123_000_000)),
        ("milliseconds", "881250949123.456789", (MOMENT, 123_456_789)),
        ("microseconds", "881250949123456", (MOMENT, 123_456_000)),
        ("nanoseconds", "881250949123456789", (MOMENT, 123_456_789)),
        ("nanoseconds", 881250949123456789, (MOMENT, 123_456_789)),
        ("nanoseconds", decimal.Decimal("881250949123456789"), (MOMENT, 123_456_789)),
        ("iso8601", "1997-12-04T15:55:49Z", (MOMENT, 0)),
        ("iso8601", "1997-12-04 15:55:49.000000001", (MOMENT, 1)),
        ("iso8601", b"1997-12-04 16:55:49.5+01:00", (MOMENT, 500_000_000)),
        ("order", "0", (0, 0)),
        ("order", "-0", (0, 0)),
        ("order", "5.0", (5, 0)),
        ("order", 2**63 - 1, (2**63 - 1, 0)),
        ("order", "881250949000", (881250949000, 0)),
    ],
)
def test_times_are_exact(unit, cell, expected):
    assert read(unit, cell) == expected


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "nanoseconds", "iso8601", "order"])
def test_time_columns_of_a_file_are_exact_in_any_unit(unit):
    assert read(unit, MOMENT, is_time_column=True) == (MOMENT, 0)


def test_parts_of_times_of_the_file_itself():
    cell = MOMENT + fractions.Fraction(1, NANOS)
    assert read("iso8601", cell, is_time_column=True) == (MOMENT, 1)
    with pytest.raises(BadCell) as refused:
        read("seconds", cell, is_time_column=True)
    assert refused.value.remedy == "set data.interactions.timestamp_unit: auto"


def test_nanos_of_a_cell_that_was_not_asked_for_its_seconds():
    assert clock("milliseconds", EARLIEST, LATEST, False).nanos("881250949001") == [1_000_000]


@pytest.mark.parametrize(
    ("unit", "cell", "got", "remedy"),
    [
        ("seconds", "881250949000", "looks like milliseconds, but", "timestamp_unit: milliseconds if all rows"),
        ("seconds", 881250949000000, "looks like microseconds", "one unit"),
        ("seconds", "881250949000000000", "looks like nanoseconds", "one unit"),
        ("milliseconds", "881250949", "looks like seconds", "timestamp_unit: seconds"),
        ("seconds", "1997-12-04 15:55:49", "looks like ISO 8601", "timestamp_unit: iso8601"),
        ("iso8601", "881250949", "looks like seconds", "timestamp_unit: seconds"),
        ("iso8601", 881250949000, "looks like milliseconds", "timestamp_unit: milliseconds"),
        ("iso8601", "12/4/1997", "'12/4/1997'", "correct the row"),
        ("iso8601", "5", "'5'", "correct the row"),
        ("iso8601", ["1997-12-04"], "['1997-12-04']", "correct the row"),
        ("seconds", "-1", "'-1', a negative time", "data.interactions.filter"),
        ("iso8601", "1969-12-31", "a negative time", "data.interactions.filter"),
        ("seconds", "0", "'0', 1970-01-01", "lower data.interactions.earliest"),
        ("seconds", "631151999", "1989-12-31", "lower data.interactions.earliest"),
        ("iso8601", "1989-12-31T23:59:59", "1989-12-31", "lower data.interactions.earliest"),
        ("seconds", "1700000001", "in the future", "correct the row"),
        ("iso8601", "2999-01-01", "in the future", "correct the row"),
        ("seconds", "9" * 40, "in the future", "correct the row"),
        ("seconds", math.inf, "in the future", "correct the row"),
        ("seconds", -math.inf, "negative", "correct the row"),
        ("seconds", "1e300", "in the future", "correct the row"),
        ("seconds", "soon", "'soon'", "correct the row"),
        ("seconds", "1_000", "'1_000'", "correct the row"),
        ("seconds", "\u0663", "'\u0663'", "correct the row"),
        ("seconds", True, "True", "correct the row"),
        ("seconds", "", "a blank", "fill it in"),
        ("seconds", None, "null", "fill it in"),
        ("seconds", math.nan, "a blank", "fill it in"),
        ("iso8601", " ", "a blank", "fill it in"),
        ("seconds", "881250949.5", "fractions of a second, '881250949.5'", "milliseconds"),
        ("milliseconds", "881250949000.0000001", "finer than a nanosecond", "round"),
        ("nanoseconds", 8.81250949e17, "the float 8.81250949e+17", "lost digits"),
        ("order", "-5", "'-5'", "shift the order numbers"),
        ("order", "1.5", "'1.5'", "without decimals"),
        ("order", "1e300", "'1e300'", "smaller"),
        ("order", 2.0**60, "1.15", "integers"),
        ("order", "", "a blank", "fill it in"),
    ],
)
def test_refused_with_a_remedy(unit, cell, got, remedy):
    with pytest.raises(BadCell) as refused:
        read(unit, cell)
    assert got in refused.value.got
    assert remedy in refused.value.remedy


def test_the_sentence_names_the_bounds():
    with pytest.raises(BadCell) as refused:
        read("seconds", "1")
    assert refused.value.expected == "a time in seconds since 1970 from 1990-01-01 until tomorrow"


@pytest.mark.parametrize(("cell", "got"), [(0, "1970-01-01 00:00:00"), (10**13, "a time 1e+13 seconds from 1970")])
def test_times_of_the_file_itself_are_shown_as_dates(cell, got):
    with pytest.raises(BadCell) as refused:
        read("iso8601", cell, is_time_column=True)
    assert got in refused.value.got


def test_earliest_may_be_lowered():
    assert read("seconds", "5", earliest=0) == (5, 0)
    with pytest.raises(BadCell, match="negative"):
        read("seconds", "-5", earliest=-100)


@given(nanos=st.integers(EARLIEST * NANOS, LATEST * NANOS))
def test_every_nanosecond_survives_every_way_of_writing_it(nanos):
    expected = divmod(nanos, NANOS)
    assert read("nanoseconds", str(nanos)) == expected
    assert read("nanoseconds", nanos) == expected
    assert read("microseconds", f"{nanos // 1000}.{nanos % 1000:03}") == expected
    assert read("iso8601", fractions.Fraction(nanos, NANOS), is_time_column=True) == expected
