"""Data gate: checks of the input that stop a run or warn before training."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.section import Section

Action = Literal["error", "warn", "ignore"]


class Check(Section):
    """One thing that the gate looks at: the threshold, and what happens beyond it."""

    threshold: float = pydantic.Field(ge=0.0)
    """The highest value that passes; `volume` must be above it."""

    action: Action = "error"
    """error stops the run before training, warn tells, ignore does neither."""


class Gate(Section):
    """What stops a run, or warns, before anything is trained. "Before" is the last blessed run on other data."""

    schema_anomalies: Action = "error"
    """Values, types or columns that the schemas do not allow."""

    drift: Check = Check(threshold=0.3, action="warn")
    """Distance of a feature's distribution from before: Jensen-Shannon divergence for numbers, the largest change of
    one value's share for strings."""

    volume: Check = Check(threshold=0.5)
    """Rows of a table as a share of before: half of them gone is an error."""

    unknown_candidates: Check = Check(threshold=0.05)
    """Share of interactions that name a candidate the catalogue lacks; up to it they are dropped and counted."""

    tied_targets: Check = Check(threshold=0.5, action="warn")
    """Share of test targets whose query has another interaction at the same time: only the file's order decides which
    is the last. Baskets are ties by nature and not checked."""

    isolated_times: Check = Check(threshold=0.0, action="warn")
    """Share of interactions whose time lies further outside the middle 99.8% of all times than that middle is long."""
