"""Tables of a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from shortlist.text_tables import TextColumn, print_table

_COLUMNS = [
    TextColumn("name", right=False, wraps=True),
    TextColumn("value"),
    TextColumn("interval", drop=2),
    TextColumn("rows", drop=1),
]
_ROWS = [["two words", "0.25", "0.1 to 0.3", "12"], ["[b]", "0.5", "0.4 to 0.6", "7"]]


def _printed(width, rows=_ROWS, columns=_COLUMNS):
    out = io.StringIO()
    print_table(Console(file=out, width=width), columns, rows)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_all_columns_where_there_is_room():
    assert _printed(40) == [
        "name       value    interval  rows",
        "two words   0.25  0.1 to 0.3    12",
        "[b]          0.5  0.4 to 0.6     7",
    ]


def test_texts_wrap_first_then_columns_go():
    # 5 + 2 + 5 + 2 + 10 + 2 + 4 = 30 columns are the least with all of them.
    assert _printed(30)[0].split() == ["name", "value", "interval", "rows"]
    assert _printed(30)[1:3] == ["two     0.25  0.1 to 0.3    12", "words"]
    assert _printed(29)[0].split() == ["name", "value", "rows"]
    assert _printed(16)[0].split() == ["name", "value"]


def test_strings_are_plain_and_no_markup():
    assert _printed(40, [["\x1b[2J", "1", "", ""]])[1].split() == ["\ufffd[2J", "1"]


def test_no_word_is_broken_where_several_texts_share_a_narrow_table():
    columns = [TextColumn("feature", right=False, wraps=True), TextColumn("most frequent", right=False, wraps=True)]
    rows = [["release_year", "a b c d e f g h"], ["x", "one two three"]]
    # 12 + 2 + 8 are the least; the second column gets the other four.
    assert _printed(26, rows, columns) == [
        "              most",
        "feature       frequent",
        "release_year  a b c d e f",
        "              g h",
        "x             one two",
        "              three",
    ]
