"""The section `tune`: which settings are searched, and for how long."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Number, Section, Whole
from shortlist.config.values import Value


class Searched(Section):
    """Values of one setting to try: a list or a range. `[0.1, 0.2]` is short for `{values: [0.1, 0.2]}`."""

    values: tuple[Value, ...] | None = None
    """List of values. The config's own value is tried, too."""

    min: Number | None = None
    """Lowest value of a range. Use it together with `max`, instead of `values`."""

    max: Number | None = None
    """Highest value of a range."""

    log: bool = False
    """Sample the range on a log scale: as many values from 0.001 to 0.01 as from 0.01 to 0.1."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"values": value} if isinstance(value, list | tuple) else value

    @pydantic.model_validator(mode="after")
    def _check_values_or_range(self) -> Searched:
        if self.values is not None:
            if self.min is not None or self.max is not None or self.log:
                raise ValueError("expected either values or a range of min and max, got both; remove one of them")
            if not self.values:
                raise ValueError("expected at least one value, got an empty list; remove the key or give it values")
            return self
        if self.min is None or self.max is None:
            raise ValueError(
                "expected a list of values, or both min and max, got an incomplete range; "
                "for example {min: 0.001, max: 0.01}"
            )
        if self.min >= self.max:
            raise ValueError(f"expected min below max, got the empty range {self.min:g} to {self.max:g}")
        if self.log and self.min <= 0:
            raise ValueError(f"expected min above 0 with log, got {self.min:g}")
        return self


class Tune(Section):
    """Search for better settings of `model` and `train` before training; off by default."""

    enabled: bool = False
    """Search in every run; `run --tune` searches in one run. Without a search, the config's own values are used, not
    those of an earlier search."""

    space: dict[str, Searched] | None = None
    """Search space, by dotted name of the setting: `{train.learning_rate: {min: 0.001, max: 0.01, log: true}}`.
    By default, the learning rate from 1/4 to 4 times the config's own, and the query tower's dropout."""

    method: Literal["random", "bayesian"] = "random"
    """`random`: random search. `bayesian`: a Gaussian process of the earlier trials, after three random trials per
    setting."""

    objective: Literal["top_10", "ndcg_at_10"] = "top_10"
    """Metric to maximise, on the eval split with seen items excluded: HR@10 or NDCG@10. The test split is never
    used."""

    max_trials: Whole = pydantic.Field(20, ge=2, le=1_000)
    """Maximum number of trials. The first trial is the config itself, so the result is never worse on eval."""

    minutes: Number = pydantic.Field(30.0, gt=0.0, le=43_200.0)
    """Time limit of the search. After it, the running trial ends with its epoch, and the best trial is used."""

    # A short trial is only comparable with others if the learning rate has decayed by its end.
    epochs: Whole = pydantic.Field(5, ge=1, le=100_000)
    """Maximum number of epochs per trial. The learning rate decays over them, and eval is ranked after each."""

    @pydantic.field_validator("space")
    @classmethod
    def _check_not_empty(cls, space: dict[str, Searched] | None) -> dict[str, Searched] | None:
        if space is not None and not space:
            raise ValueError("expected at least one setting, got none; remove `space` to use the default space")
        return space
