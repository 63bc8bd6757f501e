"""The section `data.gate`: checks of the input that stop a run or warn before training."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Number, Section

Action = Literal["error", "warn", "ignore"]


class Check(Section):
    """One check of the data: a threshold, and the action if the data exceeds it."""

    threshold: Number = pydantic.Field(ge=0.0, le=1.0)
    """Highest value that passes. For `volume`, the value must be above the threshold."""

    action: Action = "error"
    """`error`: stop the run before training. `warn`: only a warning. `ignore`: neither."""


class Gate(Section):
    """Checks of the data before training. `drift` and `volume` compare with the last blessed run on other data."""

    schema_anomalies: Action = "error"
    """Action for values, types or columns that the schemas do not allow."""

    drift: Check = Check(threshold=0.3, action="warn")
    """Change of a feature's distribution: Jensen-Shannon divergence for numbers; for strings, the largest change of
    one value's share."""

    volume: Check = Check(threshold=0.5)
    """Rows of a table, as a fraction of its earlier rows. By default, half of the rows or fewer is an error."""

    unknown_candidates: Check = Check(threshold=0.05)
    """Fraction of interactions whose candidate is not in the catalogue. Up to the threshold, they are dropped and
    counted."""

    new_candidates: Check = Check(threshold=0.3)
    """Fraction of the catalogue that is new to the served model. Only `run --reindex`, which trains nothing, checks
    it."""

    tied_targets: Check = Check(threshold=0.5, action="warn")
    """Fraction of test targets that share their timestamp with another interaction of the query. Only the file's order
    decides which of them is last. Not checked with split leave_last_basket, where ties are baskets."""

    isolated_times: Check = Check(threshold=0.0, action="warn")
    """Fraction of interactions with isolated times. A time is isolated if its distance from the middle 99.8% of all
    times is longer than that middle."""
