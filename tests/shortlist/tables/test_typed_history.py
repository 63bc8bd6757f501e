"""Histories from the command line: ids with any characters, and their times."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import BadInputError
from shortlist.tables.typed_history import read_history

_IDS = {"50", "172", "181", "toy, story", ' "b" ', "a@b.org", "a", "1,2", "1", "2", "x\ny", "-5", "a@7"}


def _read(*values, ids=_IDS):
    return read_history(values, ids, int).items


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["50,181,172"], ["50", "181", "172"]),
        (["50, 181 ,172,"], ["50", "181", "172"]),
        (["50", "181", "172"], ["50", "181", "172"]),
        (["50,181", "172"], ["50", "181", "172"]),
        (["toy, story"], ["toy, story"]),
        (["toy, story", "50"], ["toy, story", "50"]),
        (['50,"toy, story",172'], ["50", "toy, story", "172"]),
        (['50, "toy, story"'], ["50", "toy, story"]),
        ([' "b" '], [' "b" ']),
        (['" ""b"" ",50'], [' "b" ', "50"]),
        (['"x\ny",-5'], ["x\ny", "-5"]),
        # An id that is also a list is the id; quotes say otherwise.
        (["1,2"], ["1,2"]),
        (['"1","2"'], ["1", "2"]),
        ([""], []),
        (["", " , "], []),
        ([], []),
    ],
)
def test_ids_are_given_as_csv_or_one_by_one(values, expected):
    assert _read(*values) == [(item, 0) for item in expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["50@3,172@9"], [("50", 3), ("172", 9)]),
        (["50@9", "172@3"], [("172", 3), ("50", 9)]),
        # Without all times, the order is the user's.
        (["50@9,172,181@3"], [("50", 9), ("172", 0), ("181", 3)]),
        (["a@b.org@4"], [("a@b.org", 4)]),
        (["a@b.org"], [("a@b.org", 0)]),
        (["a@7"], [("a@7", 0)]),
        (["a@7@8,a@6"], [("a", 6), ("a@7", 8)]),
        (['"toy, story@5"', "toy, story@6"], [("toy, story", 5), ("toy, story", 6)]),
    ],
)
def test_an_id_may_have_its_time(values, expected):
    assert _read(*values) == expected


def test_unknown_ids_are_left_out_and_named():
    found = read_history(["50,x,toy,story", "y@5"], _IDS, int)
    assert (found.items, found.unknown) == ([("50", 0)], ["x", "toy", "story", "y@5"])


@pytest.mark.parametrize("value", ['"50', '50,"toy', '"50"x,172', "50\n172"])
def test_a_line_that_is_no_csv_is_refused(value):
    with pytest.raises(BadInputError, match=r"--history .*: expected ids separated by commas"):
        _read(value)


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_ids_survive_csv_and_repetition(ids):
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(ids)
    # Two ids in quotes cannot be an id of these, since that would have to contain itself.
    if line.getvalue() not in ids:
        assert [item for item, _ in _read(line.getvalue(), ids=set(ids))] == ids
    assert [item for item, _ in _read(*ids, ids=set(ids))] == ids


@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_text_is_read_or_refused(values):
    try:
        assert all(item in _IDS for item, _ in _read(*values))
    except (BadInputError, ValueError):
        # ValueError is what `int`, the reader of times here, raises.
        return
