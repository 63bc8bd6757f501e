"""Wrapped lines of text."""

from __future__ import annotations

import io

import pytest

from cli.output import consoles, wrapping


def test_lines_end_between_words_and_a_long_word_is_whole():
    assert wrapping.wrap("a bc def", 4) == ["a bc", "def"]
    assert wrapping.wrap("to /a/long/path now", 6) == ["to", "/a/long/path", "now"]
    assert wrapping.wrap("", 6) == [""]
    # Characters of East Asia take two columns.
    assert wrapping.wrap("日本 語", 6) == ["日本", "語"]


def test_lines_hang_below_the_first_word_after_the_label():
    assert wrapping.hanging("Took      12 s, peak", 17) == ["Took      12 s,", "          peak"]
    assert wrapping.hanging("As of:   now, then", 14) == ["As of:   now,", "         then"]
    assert wrapping.hanging("   12 artifacts", 10) == ["   12", "   artifacts"]
    assert wrapping.hanging("a sentence: of words", 14) == ["a sentence: of", "            words"]
    assert wrapping.hanging("no label at all", 9) == ["no label", "at all"]


def _printed(print_, *arguments):
    out = io.StringIO()
    print_(consoles.console(file=out, width=30), *arguments)
    return out.getvalue()


def test_a_label_and_its_text():
    text = _printed(wrapping.print_labelled, "Log", "[red]one two three four[/] five")
    assert text == "Log       [red]one two three\n          four[/] five\n"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("shortlist runs --config a.yaml", ["shortlist runs \\", "--config a.yaml"]),
        ("shortlist recommend --query 'a b' -k 3", ["shortlist recommend --query 'a b' -k 3"]),
    ],
)
def test_a_command_on_several_lines_can_be_pasted(command, lines):
    expected = [f"Next      {lines[0]}", *(f"          {line}" for line in lines[1:])]
    assert _printed(wrapping.print_command, "Next", command).splitlines() == expected
