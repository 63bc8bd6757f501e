"""Progress in lines of text, one per minute, for logs of CI and of containers."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from shortlist.process.progress import Progress

SECONDS_BETWEEN = 60.0
_SILENCE = 1.1 * SECONDS_BETWEEN
"""Seconds without a line after which `tick` writes one: a step that reports is not interrupted."""
_SECONDS_BETWEEN_TICKS = 5.0
_MINUTE, _HOUR = 60, 3600


class ProgressLines:
    """A listener that writes a line with count, note, rate and the time left, at most one per minute.

    The rate is that since the line before, so that it follows a change of speed. `tick` writes a line for steps that do
    not report: the statistics and the transforms are TFX's own nodes.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the function that writes a line."""
        self._write = write
        self._clock = clock
        # Beam's workers report from threads of their own.
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Begins the next step."""
        with self._lock:
            self._started = self._written = self._since = self._clock()
            self._unit = ""
            self._done = 0
            self._last: Progress | None = None

    def __call__(self, report: Progress) -> None:
        """Implements `progress.Listener`."""
        with self._lock:
            now = self._clock()
            if report.unit != self._unit or report.done < self._done:
                # Another step began: there is no rate yet.
                self._unit, self._since, self._done = report.unit, now, report.done
            elif now - self._since >= SECONDS_BETWEEN:
                self._write(line(report, (report.done - self._done) / (now - self._since)))
                self._since, self._done, self._written = now, report.done, now
            self._last = report

    def tick(self) -> None:
        """Writes the latest report and the age of the step, if there was no line for more than a minute."""
        with self._lock:
            now = self._clock()
            if now - self._written < _SILENCE:
                return
            parts = [*_counted(self._last)] if self._last else []
            self._write(", ".join([*parts, f"{_duration(now - self._started)} so far"]))
            self._written = now

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        """Calls `tick` every few seconds within its body."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(_SECONDS_BETWEEN_TICKS):
                self.tick()

        thread = threading.Thread(target=run, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def line(report: Progress, rate: float) -> str:
    """Returns the line of a report; `rate` is in units per second."""
    parts = list(_counted(report))
    parts.append(f"{rate:,.0f} {report.unit} per second" if rate >= 10.0 else f"{rate:.2g} {report.unit} per second")
    if report.total is not None and rate > 0.0:
        parts.append(f"{_duration((report.total - report.done) / rate)} left")
    return ", ".join(parts)


def _counted(report: Progress) -> Iterator[str]:
    """Yields count and note of a report."""
    total = "" if report.total is None else f" of {report.total:,}"
    yield f"{report.done:,}{total} {report.unit}"
    if note := report.note:
        yield note


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
