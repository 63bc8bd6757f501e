"""Progress of the running step: counting code reports it, listeners show it.

Reports reach listeners in the same process only. If Beam's workers are other processes, their progress is not shown.
Reports without a listener cost next to nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Union

Note = Union[str, Callable[[], str]]
"""A text, or a function that returns the current one."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of the running step."""

    done: int
    total: int | None
    """None if the total is unknown before the end."""
    unit: str
    """The unit of both counts, in the plural."""
    text: Note = ""
    """Further text, such as the current value of a metric."""

    @property
    def note(self) -> str:
        """The further text as it is now; a listener that shows few reports computes few of them."""
        return self.text if isinstance(self.text, str) else self.text()


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
_counts: dict[str, int] = {}
_notes: list[str] = []


def report(done: int, total: int | None, unit: str, note: Note = "") -> None:
    """Reports progress to all listeners."""
    if _notes:
        note = _notes[-1]
    for listener in _listeners:
        listener(Progress(done, total, unit, note))


def count(more: int, unit: str) -> None:
    """Adds `more` to the count of a unit and reports it. Counts of several threads may lose one now and then."""
    if _listeners:
        _counts[unit] = _counts.get(unit, 0) + more
        report(_counts[unit], None, unit)


def restart() -> None:
    """Resets all counts for the next step."""
    _counts.clear()


@contextlib.contextmanager
def with_note(note: str) -> Iterator[None]:
    """Replaces the notes of all reports within its body by the note of the larger step."""
    _notes.append(note)
    try:
        yield
    finally:
        _notes.pop()


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Passes all progress within its body to a listener."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        restart()
