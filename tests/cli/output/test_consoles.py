import io
import sys

import pytest
from rich.table import Table
from rich.tree import Tree

from cli.output import consoles

MARKUP = ["[/p003]", "[red]", "[link=x]y[/link]", "\\[b]"]


@pytest.mark.parametrize("text", MARKUP)
def test_no_string_is_markup(text):
    out = io.StringIO()
    console = consoles.console(file=out, width=80)
    table = Table(text)
    table.add_row(text)
    console.print(text)
    console.print(table)
    consoles.warn(console, text)
    assert [text in line for line in out.getvalue().splitlines()].count(True) == 4


def test_a_warning_replaces_control_characters():
    out = io.StringIO()
    consoles.warn(consoles.console(file=out), "column '\x1b[2J'")
    assert out.getvalue() == "Warning: column '\ufffd[2J'\n"


HOSTILE = "s3://KEY:hunter2@b \x1b[2J\u202e[/x]"
SAFE = "s3://***@b \ufffd[2J\ufffd[/x]"


def test_every_string_is_plain_wherever_it_is_printed():
    table, tree = Table(HOSTILE), Tree(HOSTILE)
    table.add_row(HOSTILE)
    tree.add(HOSTILE)
    out = io.StringIO()
    console = consoles.console(file=out, width=80, force_terminal=True)
    for item in (HOSTILE, table, tree):
        console.print(item)
    with console.status(HOSTILE):
        pass
    consoles.warn(console, HOSTILE)
    text = out.getvalue()
    assert "hunter2" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert text.count(SAFE) == 7


def test_a_pipe_is_wide_and_a_terminal_as_wide_as_it_is(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert consoles.console(file=io.StringIO()).width == consoles.PIPE_WIDTH
    assert consoles.console(file=io.StringIO(), width=72).width == 72
    monkeypatch.setenv("COLUMNS", "60")
    assert consoles.console(file=io.StringIO()).width == 60


def test_no_color_means_no_style_at_all(monkeypatch):
    def printed():
        out = io.StringIO()
        console = consoles.console(file=out, width=80, force_terminal=True)
        console.print("[bold red]no[/]", markup=True)
        console.print("dim", style="dim")
        return out.getvalue()

    assert "\x1b[" in printed()
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed() == "no\ndim\n"


def test_words_are_whole_and_lines_hang_below_their_label():
    out = io.StringIO()
    console = consoles.console(file=out, width=20)
    console.print("Log       /a/path/longer/than/a/line of it")
    consoles.warn(console, "one two three")
    assert out.getvalue().splitlines() == [
        "Log       /a/path/longer/than/a/line",
        "          of it",
        "Warning: one two",
        "         three",
    ]


def test_libraries_do_not_write_past_the_log_file(tmp_path):
    out = io.StringIO()
    stdout, stderr = sys.stdout, sys.stderr
    with consoles.console(file=out, force_terminal=True).status("Loading ..."):
        # rich would put streams of its own here, which write to the terminal.
        assert (sys.stdout, sys.stderr) == (stdout, stderr)
