"""Splits into train, eval and test, and the windows of a query's interactions."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import Section, Seed, Whole

Timestamp = Annotated[Whole, pydantic.Field(ge=-(2**63), le=2**63 - 1)]
"""Seconds since 1970 or an order number, in 64 bits."""


class LeaveLastOut(Section):
    """Test is a query's last interaction, eval the one before it, and train the rest."""

    kind: Literal["leave_last_out"] = "leave_last_out"
    """The last interaction per query."""


class LeaveLastBasket(Section):
    """Test is a query's last basket: all rows at its last timestamp. Eval is the one before, if there are three."""

    kind: Literal["leave_last_basket"] = "leave_last_basket"
    """The last basket per query."""


class Temporal(Section):
    """Two cuts in time, the same for all queries: train < eval_from <= eval < test_from <= test."""

    kind: Literal["temporal"] = "temporal"
    """Cuts in time."""

    eval_from: Timestamp
    """First timestamp of the eval split, in seconds since 1970 or as an order number."""

    test_from: Timestamp
    """First timestamp of the test split, in seconds since 1970 or as an order number."""

    @pydantic.model_validator(mode="after")
    def _check_order(self) -> Temporal:
        if self.eval_from >= self.test_from:
            raise ValueError(f"eval_from={self.eval_from} must be before test_from={self.test_from}")
        return self


class Random(Section):
    """Rows in a random order, by SHA-256(seed, row position): the last 20% are test, the 8% before them eval."""

    kind: Literal["random"] = "random"
    """Random rows."""

    seed: Seed = 42
    """Seed of the shuffle."""


Split = Annotated[Union[LeaveLastOut, LeaveLastBasket, Temporal, Random], pydantic.Field(discriminator="kind")]


class WindowsSection(Section):
    """Sizes of the windows of a query's interactions."""

    max_history: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Maximum number of latest interactions in a history."""

    max_targets: Whole = pydantic.Field(100, ge=1, le=10_000)
    """Maximum number of targets per training window. Queries with more get several windows."""
