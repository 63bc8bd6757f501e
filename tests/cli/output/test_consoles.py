import io

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


def test_wide_consoles_do_not_fold_tables_in_a_pipe():
    assert consoles.wide().width == consoles.wide(20).width == 100
    assert consoles.wide(130).width == 130
