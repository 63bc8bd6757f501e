"""When to train again, as one sentence with its reason, from what the request log says of a version."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from shortlist.metrics import intervals
from shortlist.serving.measured_histories import MeasuredHistories, Quantiles

MAX_UNKNOWN_SHARE = 0.05
"""Share of the histories' items that the model does not know, from which on a new training is advised."""
_MAX_DAYS = 365
# Three days make a trend, if each has enough items for a share.
_MIN_DAYS = 3
_MIN_ITEMS = 100


@dataclasses.dataclass(frozen=True)
class Day:
    """Items of the histories of one day."""

    day: int
    """Days since 1970."""
    items: int
    unknown: int


@dataclasses.dataclass(frozen=True)
class Half:
    """The earlier or the later half of a version's requests, as far as a day has passed since them."""

    requests: int
    hits: int
    """Requests with a hit within a day."""


@dataclasses.dataclass(frozen=True)
class Observed:
    """What the log says of the requests to one version."""

    days: Sequence[Day]
    """In order."""
    halves: tuple[Half, Half]
    """The earlier and the later one."""
    lengths: Quantiles | None
    """Of the histories."""
    ages: Quantiles | None
    """Seconds from the newest item of a history to the request; None without times."""

    @property
    def unknown_share(self) -> float:
        """Share of the histories' items that the model does not know."""
        items = sum(day.items for day in self.days)
        return sum(day.unknown for day in self.days) / items if items else 0.0


@dataclasses.dataclass(frozen=True)
class Advice:
    """When to train again."""

    is_due: bool
    sentence: str


def advise(observed: Observed, measured: MeasuredHistories | None) -> Advice:
    """Returns when to train again, by the strongest reason.

    Args:
      observed: The requests to the version.
      measured: The histories that the version was measured on; None if unknown.
    """
    share = observed.unknown_share
    if share > MAX_UNKNOWN_SHARE:
        return Advice(
            True,
            f"Train again now with today's catalogue: the model does not know {share:.1%} of the histories' items, "
            f"more than {MAX_UNKNOWN_SHARE:.0%}.",
        )
    before, after = observed.halves
    if _fell(before, after):
        rates = f"{before.hits / before.requests:.4f} to {after.hits / after.requests:.4f}"
        return Advice(True, f"Train again now: the hit rate within a day fell from {rates} between its two halves.")
    for text in _differences(observed, measured):
        return Advice(True, f"Train again, unless events arrive late or not at all: {text}.")
    days = _days_left(observed.days)
    if days == 0:
        return Advice(
            True,
            f"Train again now with today's catalogue: by their trend, more than {MAX_UNKNOWN_SHARE:.0%} of the "
            f"histories' items are unknown by now, {share:.1%} over all days.",
        )
    if days is not None:
        return Advice(
            False,
            f"Train again in about {days:,} days: unknown items, {share:.1%} of the histories so far, will pass "
            f"{MAX_UNKNOWN_SHARE:.0%} if they go on to rise.",
        )
    compared = "" if measured is None else ", and the histories are like those that it was measured on"
    return Advice(False, f"No reason to train again yet: {share:.1%} of the histories' items are unknown{compared}.")


def _fell(before: Half, after: Half) -> bool:
    """Returns whether the later hit rate is lower and the 95% intervals do not overlap."""
    if not before.requests or not after.requests or not before.hits:
        return False
    lower = intervals.wilson(before.hits / before.requests, before.requests)[0]
    return intervals.wilson(after.hits / after.requests, after.requests)[1] < lower


def _differences(observed: Observed, measured: MeasuredHistories | None) -> list[str]:
    """Returns how the median history differs from 80% of the measured ones."""
    if measured is None or observed.lengths is None:
        return []
    found = []
    length, usual = min(observed.lengths.p50, measured.max_history), measured.history_length
    if not usual.p10 <= length <= usual.p90:
        found.append(f"half of the histories have {length:g} items or {_side(length, usual)}")
    if observed.ages is not None and measured.newest_age is not None and observed.ages.p50 > measured.newest_age.p90:
        old, known = duration(observed.ages.p50), duration(measured.newest_age.p90)
        found.append(
            f"half of the histories ended {old} or longer before the request, 90% of the measured ones {known} at most"
        )
    return found


def _side(length: float, usual: Quantiles) -> str:
    if length < usual.p10:
        return f"fewer, 90% of the measured ones {usual.p10:g} or more"
    return f"more, 90% of the measured ones {usual.p90:g} at most"


def _days_left(days: Sequence[Day]) -> int | None:
    """Returns the number of days after which a straight line through the daily shares passes the limit."""
    counted = [day for day in days if day.items >= _MIN_ITEMS]
    if len(counted) < _MIN_DAYS:
        return None
    numbers = np.array([day.day for day in counted], np.float64)
    shares = np.array([day.unknown / day.items for day in counted])
    weights = np.sqrt([day.items for day in counted])
    slope, level = np.polyfit(numbers - numbers[-1], shares, 1, w=weights)
    if slope <= 0:
        return None
    left = int(np.ceil(max(MAX_UNKNOWN_SHARE - level, 0.0) / slope))
    return left if left <= _MAX_DAYS else None


def duration(seconds: float) -> str:
    """Returns a length of time in its largest unit, such as `3.2 days`."""
    sizes = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next(((size, unit) for size, unit in sizes if seconds >= size), sizes[-1])
    number = f"{seconds / size:.3g}"
    return f"{number} {unit}{'' if number == '1' else 's'}"
