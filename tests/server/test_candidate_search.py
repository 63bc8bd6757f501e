"""Search of candidates beside the plain definition of its answer."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from server import candidate_search
from server.candidate_search import CandidateSearch

# Folds that change a length (ß, İ), an accent as one character or two, bytes of one to four, a NUL, and y with a
# diaeresis, whose number is that of the byte between texts.
_LETTERS = "aAbB ßSİi\u00e9\u00c9e\u0301\x00\xff\u0416\u4e2d\u3042\U0001f600"
# With two letters alone, texts often begin with the same.
_TEXTS = st.one_of(st.text(st.sampled_from("abA"), max_size=6), st.text(st.sampled_from(_LETTERS), max_size=5))


def _by_definition(ids, titles, search, limit):
    wanted = search.casefold()
    first, others = [], []
    for row, item in enumerate(ids):
        title = ((titles[row] if titles is not None else None) or "").casefold()
        if title.startswith(wanted) or item.casefold().startswith(wanted):
            first.append(row)
        elif wanted in title:
            others.append(row)
    return [*first, *others][:limit]


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(
    rows=st.lists(st.tuples(_TEXTS, st.one_of(st.none(), _TEXTS)), max_size=12),
    search=st.one_of(st.text(st.sampled_from("ab"), max_size=2), st.text(st.sampled_from(_LETTERS), max_size=3)),
    limit=st.integers(1, 8),
    window=st.integers(1, 9),
)
def test_found_rows_are_those_of_the_definition(rows, search, limit, window):
    names, titles = [name for name, _ in rows], [title for _, title in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidate_search, "_WINDOW", window)
        for given in (titles, None):
            found = CandidateSearch(names, given).rows(search, limit)
            assert found == _by_definition(names, given, search, limit)


@pytest.mark.parametrize(
    ("search", "rows"),
    [
        # Those that begin with it come first, by title or by id, in the order of the catalogue.
        ("a", [1, 3, 0, 4]),
        ("STRASSE", [4]),
        ("\u3042", [5]),
        # An id counts from its beginning alone.
        ("2", []),
        # The end of one title and the beginning of the next are no text.
        ("bab", []),
        ("\xff", []),
        ("\ud800", []),
        ("", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_candidates_that_begin_with_a_text_come_first(search, rows):
    titles = ["cab", "Ab", None, "", "Straße", "\u65e5\u3042"]
    ids = ["x12", "x1", "x3", "A4", "x5", "x6"]
    assert CandidateSearch(ids, titles).rows(search, 10) == rows


def test_the_first_rows_of_the_catalogue_are_returned_also_if_they_are_last_by_text():
    search = CandidateSearch(["x", "y", "z"], ["ac", "ab", "aa"])
    assert [search.rows("a", limit) for limit in (1, 2, 3)] == [[0], [0, 1], [0, 1, 2]]


def test_a_text_is_found_wherever_the_lock_is_released(monkeypatch):
    search = CandidateSearch(["x", "y", "z"], ["abcd", "", "xabc"])
    for window in range(1, 12):
        monkeypatch.setattr(candidate_search, "_WINDOW", window)
        assert search.rows("bc", 5) == [0, 2]


def test_a_rare_text_is_found_in_a_large_catalogue_by_few_calls():
    # A window of 1 MiB has some 65,000 of these titles. The text is in the last one alone.
    size = 200_000
    titles = [f"Title of {row:06}" for row in range(size - 1)] + ["Something else"]
    search = CandidateSearch([f"item-{row}" for row in range(size)], titles)
    assert search.rows("thing", 20) == [size - 1]
    assert search.rows("title", 3) == [0, 1, 2]
    assert search.rows("ITEM-19999", 20) == [19999, *range(199990, 200000)]
