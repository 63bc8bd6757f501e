"""What users expect of any command line."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from typer import rich_utils

import shortlist
from cli import conventions
from cli.app import app


def _shortlist(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shortlist", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_version():
    done = _shortlist("--version")
    assert (done.returncode, done.stdout) == (0, f"shortlist {shortlist.__version__}\n")


@pytest.mark.parametrize(("typed", "meant"), [(["rekommend"], "recommend"), (["lineage", "dif"], "diff")])
def test_a_mistyped_command_has_a_suggestion(typed, meant):
    with pytest.raises(click.UsageError, match=f"did you mean {meant!r}"):
        app(typed, standalone_mode=False)


def test_nothing_is_suggested_for_a_word_that_is_like_no_command():
    with pytest.raises(click.UsageError) as raised:
        app(["zzz"], standalone_mode=False)
    assert "did you mean" not in str(raised.value.format_message())


def test_the_shell_completes_commands():
    # As bash asks, after `shortlist re<Tab>`.
    variables = {"COMP_WORDS": "__main__.py re", "COMP_CWORD": "1"}
    code = "import sys; sys.argv[0] = 'shortlist'; from cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables, "_SHORTLIST_COMPLETE": "complete_bash"},
    )
    assert done.stdout.split() == ["report", "recommend"], done.stderr


def test_no_color_leaves_the_help_without_styles(monkeypatch, capsys):
    monkeypatch.setattr(rich_utils, "COLOR_SYSTEM", "standard")
    monkeypatch.setattr(rich_utils, "FORCE_TERMINAL", True)
    app(["worker", "--help"], standalone_mode=False)
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    conventions.without_styles()
    app(["worker", "--help"], standalone_mode=False)
    assert "\x1b[" not in capsys.readouterr().out
