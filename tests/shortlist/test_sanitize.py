"""Text from the data on a terminal: neither rich markup nor control characters take effect."""

from __future__ import annotations

import pytest

from cli import app
from cli.output import answers
from shortlist.sanitize import plain
from tests.cli.output.test_results import printed

HOSTILE = "\x1b]0;mine\x07[/b] [rec] \x1b[2J\x9b2J"
SHOWN = "\ufffd]0;mine\ufffd[/b] [rec] \ufffd[2J\ufffd2J"


def test_plain():
    assert plain(HOSTILE) == SHOWN
    for kept in ("", "Amélie", "寄生虫", "👩\u200d👧 ok\u00a0!", "[b]"):
        assert plain(kept) == kept


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\ud800"], ids=["override", "isolate", "surrogate"])
def test_text_does_not_turn_what_follows_it(character):
    assert plain(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("interrupted", ["a\nb", "a\tb", "a\rb", "a\u2028b"])
def test_one_title_stays_on_one_line(interrupted):
    assert plain(interrupted) == "a\ufffdb"


def test_titles_and_ids(capsys):
    row = {"rank": 1, "id": HOSTILE, "score": 0.5, "title": HOSTILE}
    answers.print_answer("shop", [row], ["i1"], {"i1": HOSTILE}, None, [], as_json=False)
    _, history, _, answer = capsys.readouterr().out.splitlines()
    assert history.endswith(f"the last: {SHOWN}")
    assert answer.split("0.500")[0].strip() == f"1  {SHOWN}"
    assert answer.split("0.500")[1].strip() == SHOWN


@pytest.mark.parametrize("changes", [{}, {"status": "refused", "blessing": None}], ids=["not_blessed", "refused"])
def test_reasons(changes):
    blessing = {"blessed": False, "reasons": [HOSTILE]}
    gates = [{"gate": "popularity", "result": "fail", "sentence": HOSTILE}]
    text = printed(**{"blessing": blessing, "reasons": [HOSTILE], "gates": gates, **changes})
    assert SHOWN in text
    assert "\x1b" not in text


def test_an_error_keeps_its_own_line_breaks(capsys):
    app._print_error(f"two keys:\n{HOSTILE}")
    assert capsys.readouterr().err == f"Error: two keys:\n{SHOWN}\n"
