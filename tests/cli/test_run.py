"""Paths of report and log when a run fails; the error itself is printed last."""

from __future__ import annotations

import io

import pytest

from cli.output import consoles
from cli.run import _print_log_paths
from shortlist.errors import ShortlistError


@pytest.mark.parametrize("error", [ShortlistError("Trainer: no space left"), KeyboardInterrupt()])
def test_report_and_log_of_a_run_that_fails_are_named(tmp_path, error):
    (tmp_path / "run.log").touch()
    out = io.StringIO()
    with pytest.raises(type(error)), _print_log_paths(tmp_path, consoles.console(file=out, width=40)):
        raise error
    assert out.getvalue() == f"Log       {tmp_path / 'run.log'}\n"
    (tmp_path / "report.html").touch()
    with pytest.raises(type(error)), _print_log_paths(tmp_path, consoles.console(file=out, width=40)):
        raise error
    assert f"Report    {tmp_path / 'report.html'}\nLog " in out.getvalue()


def test_paths_are_not_printed_if_the_run_succeeds(tmp_path):
    (tmp_path / "run.log").touch()
    out = io.StringIO()
    with _print_log_paths(tmp_path, consoles.console(file=out)):
        pass
    assert out.getvalue() == ""
