"""Progress in lines of text, one per minute, for logs of CI and of containers."""

from __future__ import annotations

import time
from collections.abc import Callable

from shortlist.process.progress import Progress

SECONDS_BETWEEN = 60.0
_MINUTE, _HOUR = 60, 3600


class ProgressLines:
    """A listener that writes a line with count, note, rate and the time left, at most one per minute.

    The rate is that since the line before, so that it follows a change of speed.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the function that writes a line."""
        self._write = write
        self._clock = clock
        self._unit = ""
        self._since = 0.0
        self._done = 0

    def __call__(self, report: Progress) -> None:
        """Implements `progress.Listener`."""
        now = self._clock()
        if report.unit != self._unit or report.done < self._done:
            # Another step began: there is no rate yet.
            self._unit, self._since, self._done = report.unit, now, report.done
        elif now - self._since >= SECONDS_BETWEEN:
            self._write(line(report, (report.done - self._done) / (now - self._since)))
            self._since, self._done = now, report.done


def line(report: Progress, rate: float) -> str:
    """Returns the line of a report; `rate` is in units per second."""
    parts = [f"{report.done:,} {report.unit}"]
    if report.total is not None:
        parts = [f"{report.done:,} of {report.total:,} {report.unit}"]
    parts += filter(None, [report.note])
    parts.append(f"{rate:,.0f} {report.unit} per second" if rate >= 10.0 else f"{rate:.2g} {report.unit} per second")
    if report.total is not None and rate > 0.0:
        parts.append(f"{_duration((report.total - report.done) / rate)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
