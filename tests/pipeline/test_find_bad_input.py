"""A refusal must reach the user as the one sentence it was raised with, however a runner wraps it."""

import pytest

from shortlist.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def find_bad_input():
    from pipeline.bad_input import find_bad_input

    return find_bad_input


def test_the_step_that_beam_adds_is_taken_away(find_bad_input):
    found = find_bad_input(DataError("x.csv, row 3: wrong; mend it [while running 'InputToRecord/ReadRows']"))
    assert str(found) == "x.csv, row 3: wrong; mend it"


def test_a_chained_refusal_is_found_and_keeps_its_kind(find_bad_input):
    outer = RuntimeError("node failed")
    outer.__cause__ = ConfigError("train.x: too large; lower it")
    found = find_bad_input(outer)
    assert isinstance(found, ConfigError)
    assert str(found) == "train.x: too large; lower it"


def test_a_refusal_that_only_a_quoted_traceback_tells_of_is_found(find_bad_input):
    quoted = "Traceback ...\nshortlist.errors.DataError: y.csv: empty; add rows [while running 'Read']\n\nmore"
    assert str(find_bad_input(RuntimeError(quoted))) == "y.csv: empty; add rows"


def test_anything_else_is_no_refusal(find_bad_input):
    assert find_bad_input(ValueError("boom")) is None
