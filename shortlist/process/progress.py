"""How far a step is: told by whoever counts, to whoever shows it; nobody has to listen.

It works within one process. Where Beam reads and evaluates in others, nothing is told and nothing is slower.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far the step that is running is."""

    done: int
    total: int | None
    """None where nobody knows before the end."""
    unit: str
    """What is counted, in the plural."""
    note: str = ""
    """What else there is to see, a metric as it goes."""


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
_counts: dict[str, int] = {}
_notes: list[str] = []


def tell(done: int, total: int | None, unit: str, note: str = "") -> None:
    """Says how far the step is."""
    for listener in _listeners:
        listener(Progress(done, total, unit, _notes[-1] if _notes else note))


def count(more: int, unit: str) -> None:
    """Says that so many more are done; where several threads count, one may be lost."""
    if _listeners:
        _counts[unit] = _counts.get(unit, 0) + more
        tell(_counts[unit], None, unit)


def restart() -> None:
    """Counts from zero: another step began."""
    _counts.clear()


@contextlib.contextmanager
def with_note(note: str) -> Iterator[None]:
    """Has a note of a larger step stand in place of those that are told within its body."""
    _notes.append(note)
    try:
        yield
    finally:
        _notes.pop()


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Has a listener hear of all progress within its body."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        restart()
