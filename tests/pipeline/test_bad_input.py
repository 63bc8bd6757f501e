"""A refusal must reach the user in its original words, however a runner wraps it."""

import pytest

from shortlist.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def find_bad_input():
    from pipeline.bad_input import find_bad_input

    return find_bad_input


def test_the_step_that_beam_adds_is_taken_away(find_bad_input):
    found = find_bad_input(DataError("x.csv, row 3: wrong; mend it [while running 'InputToRecord/ReadRows']"))
    assert str(found) == "x.csv, row 3: wrong; mend it"


def test_parts_survive_beams_step(find_bad_input):
    """Beam constructs the exception again from its args, with the first one changed."""
    error = DataError.from_parts("x.csv, row 3", "a number", "'many'", "correct the cell")
    found = find_bad_input(DataError(error.args[0] + " [while running 'Read']", *error.args[1:]))
    assert str(found) == str(error)
    assert (found.where, found.expected, found.got, found.remedy) == error.args[1:]


def test_a_chained_refusal_is_found_and_keeps_its_kind(find_bad_input):
    outer = RuntimeError("node failed")
    outer.__cause__ = ConfigError("train.x: too large; lower it")
    found = find_bad_input(outer)
    assert isinstance(found, ConfigError)
    assert str(found) == "train.x: too large; lower it"


def test_a_refusal_in_a_quoted_traceback_is_found(find_bad_input):
    quoted = "Traceback ...\nshortlist.errors.DataError: y.csv: empty; add rows [while running 'Read']\n\nmore"
    assert str(find_bad_input(RuntimeError(quoted))) == "y.csv: empty; add rows"


def test_a_quoted_refusal_keeps_its_kind(find_bad_input):
    quoted = "Traceback ...\nValueError: x\n\nshortlist.errors.ConfigError: train.x: too large"
    found = find_bad_input(RuntimeError(quoted))
    assert type(found) is ConfigError
    assert str(found) == "train.x: too large"


def test_refusal_in_a_traceback_on_one_line(find_bad_input):
    quoted = r"FAILED: Traceback ...\nshortlist.errors.DataError: y.csv: empty; add rows [while running 'Read']\n\nmore"
    assert str(find_bad_input(RuntimeError(quoted))) == "y.csv: empty; add rows"


def test_a_circle_of_exceptions_ends(find_bad_input):
    one, other = ValueError("one"), KeyError("other")
    one.__cause__, other.__cause__ = other, one
    assert find_bad_input(one) is None


def test_anything_else_is_no_refusal(find_bad_input):
    assert find_bad_input(ValueError("boom")) is None
