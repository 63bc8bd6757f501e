from __future__ import annotations

import functools
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlist.config.paths import check_path, compile_pattern

TOKENS = st.sampled_from(["*", "**", "**/", "/**/", "?", "a", "b", "/", "[ab]", "[!a]", "ab"])
NAMES = st.text("ab/", max_size=9)


def matches(pattern: str, name: str) -> bool:
    """Tries every way to match; takes exponential time without its memory."""
    aligned = re.split(r"(\*\*/|\*\*|\*|\?|\[!a\]|\[ab\])", pattern)
    tokens: list[str] = []
    for token in aligned:
        before = tokens[-1][-1:] if tokens else ""
        if token == "**/" and before not in ("", "/"):
            tokens += ["**", "/"]
        elif token:
            tokens += [token] if token[0] in "*?[" else list(token)

    @functools.cache
    def rest(token: int, start: int) -> bool:
        if token == len(tokens):
            return start == len(name)
        kind, here = tokens[token], name[start : start + 1]
        if kind == "**":
            return any(rest(token + 1, stop) for stop in range(start, len(name) + 1))
        if kind == "**/":
            stops = [start, *(stop for stop in range(start + 1, len(name) + 1) if name[stop - 1] == "/")]
            return any(rest(token + 1, stop) for stop in stops)
        if kind == "*":
            stop = name.find("/", start)
            return any(rest(token + 1, n) for n in range(start, (len(name) if stop < 0 else stop) + 1))
        allowed = {"?": "ab", "[ab]": "ab", "[!a]": "b"}.get(kind, kind)
        return here != "" and here in allowed and rest(token + 1, start + 1)

    return rest(0, 0)


@given(st.lists(TOKENS, max_size=7).map("".join), st.lists(NAMES, min_size=1, max_size=8))
@example("**a**/b", ["aab", "a/b", "ab/ab"])
@example("*a*b/**/*b*a", ["aabb/aab/bba", "ab/ba"])
@settings(max_examples=1500)
def test_a_pattern_matches_what_any_assignment_of_its_stars_matches(pattern, names):
    pattern = re.sub(r"\*{3,}", "**", pattern)
    expression = compile_pattern(pattern)
    for name in names:
        assert (expression.fullmatch(name) is not None) is matches(pattern, name), name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 60 + "b", "a" * 255),
        ("**/a" * 40 + "/b", "a/" * 1000 + "c"),
        ("**a" * 60 + "b", "a" * 4000),
        ("*a" * 60 + "b/x/" + "*a" * 60 + "b", "a" * 255 + "/x/" + "a" * 255),
        ("**/*a*a*a*b/" * 20 + "c", ("a" * 50 + "/") * 60),
        ("{YYYY}*{MM}*{DD}" + "*1" * 100 + "x", "1" * 255),
    ],
    ids=range(6),
)
def test_no_number_of_stars_runs_for_ever(pattern, name):
    check_path(pattern)
    start = time.perf_counter()
    assert compile_pattern(pattern, "(?:/.*)?").fullmatch(name) is None
    assert time.perf_counter() - start < 2


def test_a_longer_path_than_any_is_refused():
    with pytest.raises(ValueError, match="a path of at most 4,096 characters, got 5,000"):
        check_path("*" * 5000)


def test_the_date_of_a_name():
    match = compile_pattern("log/**/{YYYY}-{MM}-{DD}*.csv").fullmatch("log/a/2024-02-03_x.csv")
    assert match is not None
    assert match.group("year", "month", "day") == ("2024", "02", "03")
