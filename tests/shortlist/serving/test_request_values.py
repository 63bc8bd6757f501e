"""Values of a request's features, from clients and from the command line."""

import numpy as np
import pytest

from shortlist.errors import BadInputError
from shortlist.serving.request_values import ValueSpec, check_value, parse_value

NUMBER, WHOLE, TEXT = (ValueSpec(kind, is_list=False) for kind in ("numbers", "whole numbers", "strings"))
TEXTS = ValueSpec("strings", is_list=True)
VECTOR = ValueSpec("numbers", is_list=True, width=3)


class Spec:
    """Data type and shape of an input, as TensorFlow has them."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.is_floating, self.is_integer = dtype == "float32", dtype == "int64"

    @property
    def shape(self):
        return self

    rank = 1


for_type = {name: Spec(name) for name in ("float32", "int64", "string")}
for spec in for_type.values():
    spec.dtype = spec


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (NUMBER, 3),
        (NUMBER, -0.5),
        (NUMBER, None),
        # NaN is a missing number, as in a table.
        (NUMBER, float("nan")),
        (NUMBER, np.float32(3)),
        # A table's lookup gives lists of one or no value.
        (NUMBER, [3.0]),
        (NUMBER, []),
        (WHOLE, np.int64(5)),
        (WHOLE, -(2**63) + 1),
        (TEXT, ""),
        (TEXT, b"phone"),
        (TEXTS, ["a", None]),
        (TEXTS, "a"),
        (VECTOR, [1, 2.5, -3]),
        (VECTOR, np.array([1.0, 2.0, 3.0], np.float32)),
        (VECTOR, []),
        (VECTOR, None),
    ],
)
def test_a_value_that_fits_is_taken(spec, value):
    check_value("name", spec, value)


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        (NUMBER, "old", "name takes numbers; got 'old'"),
        (NUMBER, True, "name takes numbers; got True"),
        (NUMBER, float("inf"), "name takes finite numbers; got inf"),
        (NUMBER, 10**40, "name takes numbers; got 1000"),
        (NUMBER, [1.0, 2.0], r"name takes one value; got the list \[1.0, 2.0\]"),
        (NUMBER, object(), "name takes numbers; got <object"),
        (WHOLE, 2.0, "name takes whole numbers; got 2.0"),
        (WHOLE, 2**63, "name takes whole numbers; got 9223372036854775808"),
        (WHOLE, "yesterday", "name takes whole numbers; got 'yesterday'"),
        (TEXT, 5, "name takes strings; got 5"),
        (TEXT, ["a", "b"], "name takes one value"),
        (TEXTS, ["a", 2], "name takes strings; got 2 at position 1, counted from 0"),
        (VECTOR, [1.0, 2.0], "name takes 3 numbers, or none; got 2"),
        (VECTOR, 1.0, "name takes 3 numbers, or none; got 1"),
        (VECTOR, [1.0, float("nan"), 2.0], "name takes finite numbers; got nan at position 1, counted from 0"),
        (VECTOR, [1.0, None, 2.0], "name takes numbers; got None at position 1, counted from 0"),
        (VECTOR, [1.0, "2", 2.0], "name takes numbers; got '2' at position 1"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_one_sentence(spec, value, message):
    with pytest.raises(BadInputError, match=message):
        check_value("name", spec, value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("float32", "8.5", 8.5),
        ("float32", " ", None),
        ("int64", "1000000000", 1_000_000_000),
        # 10,957 days after the first of 1970.
        ("int64", "2000-01-01", 946_684_800),
        ("string", "phone", "phone"),
        ("string", "8", "8"),
        ("string", "", None),
    ],
)
def test_a_typed_value_has_the_type_of_the_input(kind, text, value):
    assert parse_value("--context name", for_type[kind], text) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("float32", "8,5", "--context name: expected a finite number, got '8,5'"),
        ("float32", "inf", "--context name: expected a finite number, got 'inf'"),
        ("float32", "nan", "--context name: expected a finite number, got 'nan'"),
        ("int64", "noon", "--context name: expected seconds since 1970 or an ISO 8601 time, got 'noon'"),
        ("int64", "9" * 30, "--context name: expected a whole number of at most 64 bits"),
    ],
)
def test_a_typed_value_that_is_none_is_refused(kind, text, message):
    with pytest.raises(BadInputError, match=message):
        parse_value("--context name", for_type[kind], text)
