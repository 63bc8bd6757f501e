"""Progress bars on a terminal, and lines without bars elsewhere."""

from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from cli.output.progress import ProgressListener
from shortlist.process import progress


@dataclasses.dataclass
class _Result:
    """Stands in for the runner's result, whose module imports TFX."""

    node_id: str
    seconds: float
    cached: bool


def _shown(terminal):
    out = io.StringIO()
    with ProgressListener(Console(file=out, force_terminal=terminal, width=120, color_system=None)) as listener:
        listener.node_started("Trainer", 12, 22)
        progress.report(196, 2352, "steps", "epoch 2 of 24, ndcg_at_10 0.0740")
        listener._bar.refresh()
        listener.node_finished(_Result("Trainer", 1.5, cached=False))
        listener.node_started("Evaluator", 13, 22)
        progress.count(64, "queries")
        progress.count(56, "queries")
        listener._show(progress.Progress(120, 120, "queries"))
        listener._bar.refresh()
    return out.getvalue()


def test_a_terminal_shows_the_progress_of_a_step():
    shown = _shown(terminal=True)
    assert "196 of 2,352 steps" in shown
    assert "epoch 2 of 24, ndcg_at_10 0.0740" in shown
    assert "node 12 of 22" in shown
    assert "120 of 120 queries" in shown


def test_no_terminal_no_bars():
    assert _shown(terminal=False) == "  done    Trainer                     1.5 s\n"


def test_counts_restart_with_each_step_and_need_no_listener():
    progress.count(7, "rows")
    reports = []
    with progress.listening(reports.append):
        progress.count(1, "rows")
        progress.count(2, "rows")
        progress.restart()
        progress.count(4, "rows")
    progress.count(8, "rows")
    assert [report.done for report in reports] == [1, 3, 4]
