import io

import pytest
from rich.table import Table

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


def test_wide_consoles_do_not_fold_tables_in_a_pipe():
    assert consoles.wide().width == consoles.wide(20).width == 100
    assert consoles.wide(130).width == 130
