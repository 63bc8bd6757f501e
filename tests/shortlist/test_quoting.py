from __future__ import annotations

import decimal
import time

import pytest

from shortlist.errors import DataError
from shortlist.quoting import closest, listed, short_repr

NESTED: list = []
for _ in range(100_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        (b"\xff", r"b'\xff'"),
        (2**70, "1180591620717411303424"),
        (decimal.Decimal("1e3"), "Decimal('1E+3')"),
        (["a", None, 1], "['a', None, 1]"),
        ({"b": [1], "a": 2.5}, "{'b': [1], 'a': 2.5}"),
        ("x" * 10**7, "'" + "x" * 56 + "..."),
        (list(range(10**6)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ...]"),
        ({n: n for n in range(10**6)}, "{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, ...}"),
        (NESTED, "[[[[[...]]]]]"),
        (1 << 10**6, "a number of about 300,000 digits"),
    ],
    ids=range(11),
)
def test_a_value_is_cut_in_bounded_time(value, text):
    start = time.perf_counter()
    assert short_repr(value) == text
    assert time.perf_counter() - start < 0.5


def test_a_list_of_names_is_cut_after_twenty():
    assert listed(["a", "b", "c"]) == "'a', 'b', 'c'"
    many = listed([f"c{n}" for n in range(1_000_000)])
    assert many.startswith("'c0', 'c1', ")
    assert many.endswith("'c19' and 999,980 more")
    assert len(listed(["x" * 10**6] * 10**6)) < 20 * 63


def test_the_closest_name_is_found_in_bounded_time():
    start = time.perf_counter()
    assert closest("user", ["users", "item"]) == "users"
    # Exchanged letters come before other letters.
    assert closest("idm", ["ids", "dim"]) == "dim"
    assert closest("user", [f"column {n}" for n in range(1_000_000)]) is None
    assert closest("x" * 10**7, ["x" * 10**7]) is None
    assert closest("user", ["user" * 10**6, "usr"]) == "usr"
    assert time.perf_counter() - start < 2


def test_no_part_of_an_error_is_longer_than_a_screen():
    error = DataError.from_parts("w" * 10**6, "e" * 10**6, "g" * 10**6, "r" * 10**6)
    assert len(str(error)) < 25_000
