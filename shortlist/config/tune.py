"""The section `tune`: which settings are searched, and for how long."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Section
from shortlist.config.values import Value


class Searched(Section):
    """The values of one setting that are tried. `[0.1, 0.2]` is short for `{values: [0.1, 0.2]}`."""

    values: tuple[Value, ...] | None = None
    """These, and what the config itself says."""

    min: float | None = None
    """Lowest value of a range; in place of `values`, together with `max`."""

    max: float | None = None
    """Highest value of a range."""

    log: bool = False
    """Draw as many values from 0.001 to 0.01 as from 0.01 to 0.1."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"values": value} if isinstance(value, list | tuple) else value

    @pydantic.model_validator(mode="after")
    def _values_or_range(self) -> Searched:
        if self.values is not None:
            if self.min is not None or self.max is not None or self.log:
                raise ValueError("expected values, or min and max, got both; remove one of them")
            if not self.values:
                raise ValueError("expected at least one value, got an empty list; remove the key or give it values")
            return self
        if self.min is None or self.max is None:
            raise ValueError("expected a list of values, or min and max, got less; for example {min: 0.001, max: 0.01}")
        if self.min >= self.max:
            raise ValueError(f"expected min below max, got the empty range {self.min:g} to {self.max:g}")
        if self.log and self.min <= 0:
            raise ValueError(f"expected min above 0 with log, got {self.min:g}")
        return self


class Tune(Section):
    """The search for better settings of `model` and `train` before training; `run --tune` has one made."""

    enabled: bool = False
    """Search in every run; `run --tune` does for one. Without it the config's own values are used, whatever an earlier
    search found."""

    space: dict[str, Searched] | None = None
    """What is searched, by the settings' dotted names: `{train.learning_rate: {min: 0.001, max: 0.01, log: true}}`.
    Unless given: the learning rate from a quarter of the config's own to four times it, and the query tower's
    dropout."""

    method: Literal["random", "bayesian"] = "random"
    """How the next values are chosen: at random, or, after three random trials a setting, by a Gaussian process of what
    the earlier ones came to."""

    objective: Literal["top_10", "ndcg_at_10"] = "top_10"
    """What the best trial has most of, on the eval split, seen items excluded. The test split is never looked at."""

    max_trials: int = pydantic.Field(20, ge=2, le=1_000)
    """Most trials; the first is the config itself, so that nothing worse on eval is chosen."""

    minutes: float = pydantic.Field(30.0, gt=0.0)
    """When they are over no trial starts, the one that runs ends with its epoch, and the best so far is used."""

    epochs: int = pydantic.Field(5, ge=1)
    """Most epochs of a trial, along whose whole length the learning rate goes down; eval is ranked after each."""

    @pydantic.field_validator("space")
    @classmethod
    def _something(cls, space: dict[str, Searched] | None) -> dict[str, Searched] | None:
        if space is not None and not space:
            raise ValueError("expected at least one setting, got none; remove `space` for the default one")
        return space
