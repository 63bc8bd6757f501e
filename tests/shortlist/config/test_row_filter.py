from __future__ import annotations

import contextlib
import decimal
import fractions

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config import row_filter
from shortlist.config.filter_cells import FilterCellError

ROW = {
    "rating": "4",
    "half": "0.5",
    "country": "UK",
    "note": "",
    "at": "2011-12-09 12:50",
    "code": "85123A",
    "Unit Price": "2.55",
    "user": "007",
}


def keeps(text: str, **cells: object) -> bool:
    return row_filter.parse(text).keeps(ROW | cells)


@pytest.mark.parametrize(
    "text",
    [
        "rating >= 4",
        "rating == 4.0",
        "rating != 3",
        "4 <= rating",
        "3 < rating < 5",
        "rating > -1",
        "half == 0.5",
        "half < 0.6",
        'rating == "4"',
        'country == "UK"',
        'country in ("UK", "FR")',
        'country not in ["FR"]',
        "rating in {1, 4}",
        'code in ("85123A", 5)',
        "note is None",
        "country is not None",
        'not country == "FR"',
        'country == "FR" or rating == 4 and half > 0',
        'col("Unit Price") > 2.5',
        'code.startswith("851")',
        'code.endswith("A")',
        'matches(code, "[0-9]{5}.*")',
        r'matches(code, "\d+A")',
        'at >= "2011-12-09"',
        'at < "2011-12-09T12:50:00.000000001Z"',
        'user == "007"',
        "user == 7",
        "(\n  rating >= 4\n  and half > 0\n)",
    ],
)
def test_kept(text):
    assert keeps(text)
    assert not keeps(f"not ({text})")


@pytest.mark.parametrize("text", ["note > 0", "note == 0", "note != 0", 'note == ""', 'note in ("",)', 'note != "x"'])
def test_a_blank_cell_passes_no_comparison(text):
    assert not keeps(text)
    assert not keeps(text, note=None)
    assert not keeps(text, note="  ")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("x == 0.1", "0.1"),
        ("x == 0.1", 0.1),
        ("x == 0.1", decimal.Decimal("0.1")),
        ("x == 0.1", fractions.Fraction(1, 10)),
        ("x <= 0.1", fractions.Fraction(1, 10)),
        ("x == 1", True),
        ("x == 9007199254740993", "9007199254740993"),
        ("x > 9007199254740992", "9007199254740993"),
        ('x >= "1970-01-01T00:00:00.5"', fractions.Fraction(1, 2)),
        ('x <= "1970-01-01T00:00:00.5"', decimal.Decimal("0.5")),
        ('x > "1970-01-01T00:00:00.5"', 1),
        ('x == "true"', True),
        ('x == "5"', 5.0),
    ],
)
def test_cells_of_any_type_are_compared_exactly(text, cell):
    assert keeps(text, x=cell)


def test_columns():
    parsed = row_filter.parse('a >= 4 and col("b c") == "x" and a < 9 and t > "2011-01-01" and d.startswith("x")')
    assert parsed.columns == ("a", "b c", "t", "d")
    assert parsed.text_columns == {"b c", "d"}


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("country > 3", "country", "a number"),
        ("country == 3", "country", "a number"),
        ('code in ("x", 5)', "code", "a number"),
        ('country > "2011-01-01"', "country", "ISO 8601"),
    ],
)
def test_a_cell_that_cannot_be_compared_is_named(text, column, part):
    with pytest.raises(FilterCellError) as refused:
        keeps(text)
    assert refused.value.column == column
    assert part in refused.value.bad.expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "cannot be read"),
        ("rating >", "cannot be read"),
        ("rating = 4", "cannot be read"),
        ("rating", "expected a comparison, got 'rating'"),
        ("1 < 2", "expected a column"),
        ("rating > other", "expected a number or a text in quotes"),
        ("rating == None", '"is None"'),
        ("rating is 4", "None after `is`"),
        ("rating > True", "expected a number or a text"),
        ("rating >= 1e999", "expected a number or a text"),
        ("rating >= 4 + 1", "got '4 + 1'"),
        ('at > "12/1/2010"', "ISO 8601 date such as '2011-01-31'"),
        ("rating in x", "a list such as"),
        ("open('/etc/passwd') == 1", "a column"),
        ("__import__('os').system('true')", 'matches(column, "regex")'),
        ("rating.__class__ == 1", "a column"),
        ("(lambda: 1)() == 1", "a column"),
        ("[x for x in y] == 1", "a column"),
        ('matches(code, "(")', "not a regular expression"),
        ("matches(code, 5)", "a text in quotes"),
        ("code.startswith(prefix='x')", "plain arguments"),
        ("rating\0 > 1", "cannot be read"),
        ("not " * 60 + "rating > 1", "nested deeper than 50 levels"),
        ("(" * 5000 + "rating > 1" + ")" * 5000, "cannot be read"),
        ("rating > " + "9" * 5000, "cannot be read"),
    ],
)
def test_refused_with_a_remedy(text, part):
    with pytest.raises(ValueError, match="filter") as refused:
        row_filter.parse(text)
    sentence = str(refused.value)
    assert part in sentence
    assert "\n" not in sentence
    assert "write it like `rating >= 4" in sentence or "regular expression" in sentence


NAMES = st.sampled_from(["a", "b", 'col("c d")', "4", '"x"', "None"])
ATOMS = st.one_of(
    st.tuples(NAMES, st.sampled_from(["<", "<=", "==", "!=", "is", "is not", "in", "not in", "="]), NAMES).map(
        " ".join
    ),
    st.sampled_from(['a.startswith("x")', 'matches(b, "[")', 'matches(b, "x*")', "a", "f(a)", 'a in ("x", 1)']),
)
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map("not ({})".format), st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join)
    ),
    max_leaves=6,
)
CELLS = st.none() | st.text(max_size=3) | st.integers() | st.floats() | st.booleans() | st.lists(st.none(), max_size=1)


@given(text=EXPRESSIONS | st.text(max_size=30), cells=st.tuples(CELLS, CELLS, CELLS))
def test_any_text_is_a_filter_or_refused_and_any_row_is_kept_dropped_or_refused(text, cells):
    refusal = None
    try:
        parsed = row_filter.parse(text)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith("filter ")
        assert len(refusal.splitlines()) == 1
        return
    row = dict(zip(("a", "b", "c d"), cells, strict=True))
    if set(parsed.columns) <= set(row):
        with contextlib.suppress(FilterCellError):
            assert parsed.keeps(row) in (True, False)
