"""Errors made from parts: their sentence, and the parts after pickling."""

from __future__ import annotations

import pickle

import pytest

from pipeline.kubeflow.submit import Unreachable
from shortlist.errors import BadInputError, ConfigError, DataError

_PARTS = ("x.csv, row 3", "a number", "'many'", "correct the cell")


def _parts(error: BadInputError) -> tuple[str, str, str, str]:
    return error.where, error.expected, error.got, error.remedy


def test_sentence_of_parts():
    error = DataError.from_parts(*_PARTS)
    assert str(error) == "x.csv, row 3: expected a number, got 'many'; correct the cell"
    assert _parts(error) == _PARTS


def test_sentence_without_place_and_remedy():
    assert str(ConfigError.from_parts("", "--yes or --dry-run", "both")) == "expected --yes or --dry-run, got both"


def test_reason_follows_a_colon():
    error = ConfigError.from_reason("workspace", "a folder at /x", "Permission denied", "change its permissions")
    assert str(error) == "workspace: expected a folder at /x, got: Permission denied; change its permissions"
    assert error.got == "Permission denied"


def test_sentence_stands_on_one_line():
    error = DataError.from_parts("x  y.csv", "text", "one\n    two\r\n three", "strip line ends")
    assert str(error) == "x  y.csv: expected text, got one two three; strip line ends"


@pytest.mark.parametrize("kind", [BadInputError, ConfigError, DataError, Unreachable])
def test_error_survives_pickling(kind):
    error = kind.from_parts(*_PARTS)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)
    assert _parts(copy) == _PARTS


def test_plain_message_has_no_parts():
    copy = pickle.loads(pickle.dumps(DataError("the catalogue has no rows")))
    assert str(copy) == "the catalogue has no rows"
    assert copy.args == ("the catalogue has no rows",)
    assert _parts(copy) == ("", "", "", "")
