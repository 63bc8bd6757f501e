"""The time of a request from Python."""

from __future__ import annotations

import time
from collections.abc import Sequence

from shortlist.api.ids import Time, seconds
from shortlist.tables import as_of

# One year after 1970. Smaller numbers are order numbers.
_FIRST_SECONDS = 31_536_000


def given(at: Time | None) -> as_of.AsOf | None:
    """Returns the time that a user gave; "now" is one, too.

    Raises:
      BadInputError: It is not a time.
    """
    if at is None:
        return None
    moment = int(time.time()) if at == "now" else seconds(at, "at")
    return as_of.AsOf(moment, _text(moment))


def after(history: Sequence[tuple[str, int]]) -> as_of.AsOf:
    """Returns the time just after the newest interaction of a history; unknown if it has no times.

    Args:
      history: (candidate id, time); time 0 means unknown.
    """
    newest = max((moment for _, moment in history), default=0)
    if not newest:
        return as_of.unknown_as_of()
    return as_of.AsOf(newest + 1, f"{_text(newest + 1)}, just after the newest interaction of the history")


def _text(moment: int) -> str:
    return as_of.time_text(moment, "order" if moment < _FIRST_SECONDS else "seconds")
