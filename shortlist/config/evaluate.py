"""The `evaluate` section: metrics and the gates of a push."""

from __future__ import annotations

import pydantic

from shortlist.config.gate import Action
from shortlist.config.section import Section


class Floor(Section):
    """The least that a figure must reach, and what happens below it."""

    threshold: float = pydantic.Field(ge=0.0)
    """The lowest value that passes."""

    action: Action = "error"
    """error blesses no model below it, warn tells, ignore does neither."""


class ColdStart(Section):
    """What the model must say where train says nothing."""

    unseen_candidates: Floor = Floor(threshold=5.0)
    """top_100 of the test rows whose target train never met, as a multiple of chance, which is 100 over the number of
    candidates."""

    empty_history: Floor = Floor(threshold=0.5)
    """Of the 100 candidates that a query is answered with of which nothing is known, the share that are among the 100
    most popular in train."""

    min_rows: int = pydantic.Field(100, ge=1)
    """With fewer test rows whose target train never met, these are measured and not judged; the verdict says so."""


class Evaluate(Section):
    """What the model must beat before it may be pushed."""

    ks: tuple[int, ...] = (1, 5, 10, 50, 100)
    """The K of factorized_top_k/top_K_categorical_accuracy."""

    gate_k: int = 10
    """The gates compare top_K_categorical_accuracy at this K, seen items excluded."""

    repeat_consumption: bool = False
    """For logs in which people come back to the same items: groceries, music. Gates, early stopping, the search for
    settings, the index's recall and `recommend` then count all test rows, with seen items among the candidates. The
    signature `serving_default` excludes the history all the same, so it is not what the gates measured."""

    min_lift_over_popularity: float = pydantic.Field(1.1, ge=0.0)
    """The gated accuracy must be at least this many times that of "most popular" on the same rows."""

    max_drop_from_baseline: float = pydantic.Field(0.02, ge=0.0, le=1.0)
    """How far the gated accuracy may fall below the latest blessed model's, absolute; on 1,000 test rows two seeds
    of one model differ by 0.01."""

    cold_start: ColdStart = ColdStart()

    slices: tuple[str, ...] = ()
    """Features (category or multi_category) by whose values the metrics are told, too: `name` of the queries, or
    `target_name` of the candidates, for what the target has; those by history length and by the target's popularity
    always are."""

    @pydantic.model_validator(mode="after")
    def _gate_among_ks(self) -> Evaluate:
        if self.gate_k not in self.ks:
            raise ValueError(f"gate_k={self.gate_k} is not among ks={list(self.ks)}")
        if any(k < 1 for k in self.ks):
            raise ValueError(f"ks must be 1 or more, got {list(self.ks)}")
        return self
