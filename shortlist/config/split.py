"""Splits into train, eval and test, and the windows of a query's interactions."""

from __future__ import annotations

import datetime
import math
from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import Section, Whole
from shortlist.scalars import BadCell, iso_seconds

# Year 5138 in seconds, and 1973 in milliseconds: larger numbers have a smaller unit than seconds.
_MAX_SECONDS = 10**11
_MAX_TIMESTAMP = 2**63 - 1
_UNITS = (10**3, 10**6, 10**9)


class LeaveLastOut(Section):
    """Test is a query's last interaction, eval the one before it, and train the rest."""

    kind: Literal["leave_last_out"] = "leave_last_out"
    """The last interaction per query."""


class LeaveLastBasket(Section):
    """Test is a query's last basket: all rows at its last timestamp. Eval is the one before, if there are three."""

    kind: Literal["leave_last_basket"] = "leave_last_basket"
    """The last basket per query."""


def _seconds(value: object) -> object:
    """Returns a cut in whole seconds since 1970; an order number stays as it is."""
    if isinstance(value, datetime.date):  # A datetime is a date, too. YAML has read it already.
        value = value.isoformat()
    if isinstance(value, str):
        try:
            return math.ceil(iso_seconds(value))
        except BadCell as bad:
            raise ValueError(f"expected {bad.expected} or a number, got {bad.got}; {bad.remedy}") from None
    if isinstance(value, int) and _MAX_SECONDS < value <= _MAX_TIMESTAMP:
        unit = next(size for size in _UNITS if value <= _MAX_SECONDS * size)
        # Up, so that no row before the cut is after it.
        return -(-value // unit)
    return value


Cut = Annotated[Whole, pydantic.BeforeValidator(_seconds), pydantic.Field(ge=-(2**63), le=_MAX_TIMESTAMP)]


SpanName = Literal["hour", "day", "week"]

Spans = Annotated[Whole, pydantic.Field(ge=1, le=10_000)]
"""A number of spans."""


SPANS_NEED_TIMES = (
    "eval_spans needs times, but interactions.timestamp_unit is order; give eval_from and test_from as order numbers"
)
"""Refusal of spans for a log whose timestamps are plain numbers."""


class Temporal(Section):
    """Two cuts in time, the same for all queries: train < eval_from <= eval < test_from <= test.

    The cuts are fixed, or they move with the log: `eval_spans` and `test_spans` count from its latest row.
    """

    kind: Literal["temporal"] = "temporal"
    """Cuts in time."""

    eval_from: Cut | None = None
    """First time of the eval split: a date or time such as `2024-06-01`, in UTC if it has no zone, a number in seconds,
    milliseconds, microseconds or nanoseconds since 1970, or an order number."""

    test_from: Cut | None = None
    """First time of the test split, in the same way."""

    eval_spans: Spans | None = None
    """Number of spans in the eval split, instead of `eval_from`. They end where the test split begins."""

    test_spans: Spans | None = None
    """Number of spans in the test split, instead of `test_from`. The last one contains the log's latest row, and counts
    even if it has only begun."""

    span: SpanName = "day"
    """Length of a span. Hours, days and weeks begin as in UTC, a week on Monday."""

    @pydantic.model_validator(mode="after")
    def _check_cuts(self) -> Temporal:
        given = [name for name in (*_FIXED, *_MOVING) if getattr(self, name) is not None]
        if tuple(given) not in (_FIXED, _MOVING):
            raise ValueError(
                "expected either eval_from and test_from, or eval_spans and test_spans, "
                f"got {' and '.join(given) or 'none of them'}"
            )
        if self.eval_from is not None and self.test_from is not None and self.eval_from >= self.test_from:
            raise ValueError(f"eval_from={self.eval_from} must be before test_from={self.test_from}")
        return self

    @property
    def moves(self) -> bool:
        """Whether the cuts follow from the log's latest row."""
        return self.eval_spans is not None

    @property
    def rule(self) -> dict[str, object]:
        """The keys that decide the cuts, with their values."""
        names = (*_MOVING, "span") if self.moves else _FIXED
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}


_FIXED = ("eval_from", "test_from")
_MOVING = ("eval_spans", "test_spans")


class Random(Section):
    """Rows in a random order, by SHA-256(seed, row position): the last 20% are test, the 8% before them eval."""

    kind: Literal["random"] = "random"
    """Random rows."""

    seed: Whole = pydantic.Field(42, ge=0, le=2**31 - 1)
    """Seed of the shuffle."""


Split = Annotated[Union[LeaveLastOut, LeaveLastBasket, Temporal, Random], pydantic.Field(discriminator="kind")]


class WindowsSection(Section):
    """Sizes of the windows of a query's interactions."""

    max_history: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Maximum number of latest interactions in a history."""

    max_targets: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Maximum number of targets per training window. Queries with more get several windows."""
