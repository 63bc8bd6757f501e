from __future__ import annotations

import random
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.config import row_filter
from shortlist.config.linear_regex import LinearRegex

ATOMS = st.sampled_from(
    [
        *("a", "b", "A", r"\n", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\W", r"\w", "[^\\d]", "é", r"[\s\w]"),
        *("^", "$", r"\A", r"\Z", r"\b", r"\B", "", "(?i:a)", "(?s:.)", "(?i:[^A])", "(?a:\\w)", r"(?m:$)", "(?m:^)"),
    ]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{0}", "{0,3}?"])
        ).map("(?:{0[0]}){0[1]}".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)


@given(
    PATTERNS,
    st.lists(st.text("abcA1 \né_", max_size=6), min_size=1, max_size=4),
    st.sampled_from(["", "(?i)", "(?s)", "(?m)"]),
)
@settings(max_examples=600)
def test_it_matches_what_python_matches(pattern, texts, flags):
    linear, expected = LinearRegex(flags + pattern), re.compile(flags + pattern)
    for text in texts:
        assert linear.fullmatch(text) is (expected.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+b", "a" * 300_000),
        ("(a|a)*b", "a" * 300_000),
        ("(.*)*x(.*)*y", "x" * 300_000),
        ("(a?){500}a{500}", "a" * 500),
        ("(a|b)*a(a|b){20}c", "".join(random.Random(0).choices("ab", k=20_000))),
        (".*" * 300 + "z", "y" * 10_000),
    ],
    ids=range(6),
)
def test_the_time_is_linear_in_the_text_and_the_memory_bounded(pattern, text):
    tracemalloc.start()
    start = time.perf_counter()
    expression = LinearRegex(pattern)
    assert expression.fullmatch(text) is (pattern == "(a?){500}a{500}")
    assert time.perf_counter() - start < 20
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)b", "with look-around, which can take for ever"),
        ("(?<!a)b", "with look-around"),
        (r"(a)\1", "with references to groups"),
        ("(a)?(?(1)b|c)", "with references to groups"),
        ("x{1000000}", "of over 2,000 steps"),
        ("((((a{90}){90}){90}){90})", "of over 2,000 steps"),
        ("a{99999999999999}", "too large"),
        ("(" * 5000 + ")" * 5000, "too large"),
        ("[a", "unterminated character set"),
    ],
)
def test_a_pattern_without_bounds_is_refused(pattern, reason):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=reason):
        row_filter.parse(f"matches(x, {pattern!r})")
    assert time.perf_counter() - start < 2


def test_repetitions_of_nothing_are_nothing():
    assert LinearRegex("(?:(?:a{0}){1000000}(?:){0,1000000}){1000000}b").fullmatch("b")
