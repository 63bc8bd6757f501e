"""Splits into train, eval and test, and the windows that a query's interactions are cut into."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import Section


class LeaveLastOut(Section):
    """Test is a query's last interaction, eval the one before, train the rest."""

    kind: Literal["leave_last_out"] = "leave_last_out"


class LeaveLastBasket(Section):
    """Test is all rows at a query's last timestamp, eval the basket before where there are three."""

    kind: Literal["leave_last_basket"] = "leave_last_basket"


class Temporal(Section):
    """Cuts in time, the same for every query: train < eval_from <= eval < test_from <= test."""

    kind: Literal["temporal"] = "temporal"

    eval_from: int
    """First timestamp of the eval split."""

    test_from: int
    """First timestamp of the test split."""

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Temporal:
        if self.eval_from >= self.test_from:
            raise ValueError(f"eval_from={self.eval_from} must be before test_from={self.test_from}")
        return self


class Random(Section):
    """Rows shuffled by SHA-256(seed, row position): last 20% test, the 8% before eval."""

    kind: Literal["random"] = "random"

    seed: int = 42
    """Seed of the shuffle."""


Split = Annotated[Union[LeaveLastOut, LeaveLastBasket, Temporal, Random], pydantic.Field(discriminator="kind")]


class WindowsSection(Section):
    """How a query's interactions are cut into training windows."""

    max_history: int = pydantic.Field(100, ge=1, le=10_000)
    """Most recent interactions that the query side may look at."""

    max_targets: int = pydantic.Field(100, ge=1, le=10_000)
    """Most targets of one training window; longer queries get several windows."""
