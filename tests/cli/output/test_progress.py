"""Progress bars on a terminal, and lines without bars elsewhere."""

from __future__ import annotations

import dataclasses
import functools
import io
import threading

from rich.console import Console

from cli.output.progress import ProgressListener
from shortlist.process import progress, progress_lines
from shortlist.process.progress_lines import ProgressLines


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


def test_on_80_columns_no_number_is_cut():
    out = io.StringIO()
    with ProgressListener(Console(file=out, force_terminal=True, width=80, color_system=None)) as listener:
        listener.node_started("Trainer", 12, 22)
        note = "epoch 15 of 24, best ndcg_at_10 0.0740, loss 4.1234, 1,234 targets a second"
        progress.report(1371, 2352, "steps", note)
        listener._bar.refresh()
        frame = out.getvalue().split("\n")
    shown = "".join(frame)
    assert "…" not in shown
    assert "1,371 of 2,352 steps" in shown
    assert "4.1234, 1,234 targets a second" in shown


def test_no_terminal_no_bars():
    assert _shown(terminal=False) == "  done    Trainer                     1.5 s\n"


def test_elsewhere_a_line_per_minute_has_rate_and_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cli.output.progress.ProgressLines", functools.partial(ProgressLines, clock=lambda: now[0]))
    out = io.StringIO()
    with ProgressListener(Console(file=out, force_terminal=False, width=60, color_system=None)) as listener:
        listener.node_finished(_Result("InteractionsGen", 0.0, cached=True))
        listener.node_started("Trainer", 12, 22)
        # 100 steps in the first minute and 200 in the second; 15,700 are left at 200 / 60 s, which is 78 min 30 s.
        for second in range(0, 121, 10):
            now[0] = second
            progress.report(second * 5 // 3 + max(second - 60, 0) * 5 // 3, 16_000, "steps", lambda: "loss 6.5")
        listener.node_finished(_Result("Trainer", 121.0, cached=False))
    assert out.getvalue().splitlines() == [
        "  cached  1 node: InteractionsGen",
        "  running Trainer: 100 of 16,000 steps, loss 6.5, 1.7 steps per second, 2 h 39 min left",
        "  running Trainer: 300 of 16,000 steps, loss 6.5, 3.3 steps per second, 1 h 18 min left",
        "  done    Trainer                   121.0 s",
    ]


def test_a_line_without_a_total_has_no_time_left():
    assert progress_lines.line(progress.Progress(5_000, None, "rows"), 1234.5) == "5,000 rows, 1,234 rows per second"
    of_half = progress.Progress(50, 100, "steps")
    assert progress_lines.line(of_half, 2.0) == "50 of 100 steps, 2 steps per second, 25 s left"
    assert progress_lines.line(of_half, 0.5) == "50 of 100 steps, 0.5 steps per second, 1 min 40 s left"
    assert progress_lines.line(of_half, 0.0) == "50 of 100 steps, 0 steps per second"


def test_a_new_count_has_no_rate_yet():
    lines, now = [], [0.0]
    listener = ProgressLines(lines.append, clock=lambda: now[0])
    for second, done, unit in ((0, 900, "rows"), (59, 1000, "rows"), (61, 10, "steps"), (130, 148, "steps")):
        now[0] = second
        listener(progress.Progress(done, None, unit))
    # 138 steps in 69 s.
    assert lines == ["148 steps, 2 steps per second"]


def test_a_step_that_reports_nothing_has_a_line_with_its_age():
    lines, now = [], [0.0]
    listener = ProgressLines(lines.append, clock=lambda: now[0])
    # The first step is silent for 140 s. The second one reports until second 200, and is silent from then on.
    for second in range(0, 141, 5):
        now[0] = second
        listener.tick()
    listener.restart()
    for second in range(140, 301, 5):
        now[0] = second
        if second <= 200:
            listener(progress.Progress(second, 400, "steps", "loss 6.5"))
        listener.tick()
    assert lines == [
        "1 min 10 s so far",
        "2 min 20 s so far",
        "200 of 400 steps, loss 6.5, 1 steps per second, 3 min 20 s left",
        "200 of 400 steps, loss 6.5, 2 min 10 s so far",
    ]


def test_ticks_come_by_themselves(monkeypatch):
    monkeypatch.setattr(progress_lines, "_SECONDS_BETWEEN_TICKS", 0.001)
    written = threading.Event()
    listener = ProgressLines(lambda line: written.set(), clock=iter(range(0, 10**9, 100)).__next__)
    with listener.ticking():
        assert written.wait(timeout=60)


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
