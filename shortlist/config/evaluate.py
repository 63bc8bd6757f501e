"""The `evaluate` section: metrics and the gates of a push."""

from __future__ import annotations

from typing import Annotated

import pydantic

from shortlist.config.gate import Action
from shortlist.config.section import Number, Section, Whole

Ks = Annotated[tuple[Annotated[Whole, pydantic.Field(ge=1, le=10_000)], ...], pydantic.Field(max_length=100)]
"""Values of K."""


class Floor(Section):
    """A minimum for a metric, and the action if the model is below it."""

    threshold: Number = pydantic.Field(ge=0.0, le=1_000_000.0)
    """The lowest value that passes."""

    action: Action = "error"
    """`error`: a model below the threshold is not blessed. `warn`: only a warning. `ignore`: neither."""


class ColdStart(Section):
    """Gates for cold start: new candidates and new queries."""

    unseen_candidates: Floor = Floor(threshold=5.0)
    """HR@100 on test rows whose target has no train interactions, as a multiple of chance (100 / number of
    candidates)."""

    empty_history: Floor = Floor(threshold=0.5)
    """Overlap of two lists of 100 candidates: the recommendations for a query without id, features and history, and
    the most popular in train."""

    min_rows: Whole = pydantic.Field(100, ge=1, le=1_000_000_000)
    """Minimum number of test rows whose target has no train interactions. With fewer, `unseen_candidates` is reported
    but does not gate. It does not gate either if a model at its threshold would have fewer than 10 hits on them, as in
    a large catalogue."""

    @pydantic.model_validator(mode="after")
    def _check_overlap(self) -> ColdStart:
        if self.empty_history.threshold > 1.0:
            raise ValueError(
                f"empty_history.threshold: expected a fraction, at most 1, got {self.empty_history.threshold:g}"
            )
        return self


class Evaluate(Section):
    """Metrics on the test split, and the gates that a model must pass before it is pushed."""

    ks: Ks = (1, 5, 10, 50, 100)
    """Values of K for the hit rate HR@K, named factorized_top_k/top_K_categorical_accuracy."""

    gate_k: Whole = pydantic.Field(10, ge=1, le=10_000)
    """The gates compare the hit rate at this K, with seen items excluded."""

    repeat_consumption: bool = False
    """For logs in which people come back to the same items: groceries, music. Gates, early stopping, the search for
    settings, the index's recall and `recommend` then count all test rows, with seen items among the candidates. The
    signature `serving_default` excludes the history all the same, so it is not what the gates measured."""

    min_lift_over_popularity: Number = pydantic.Field(1.1, ge=0.0, le=1_000_000.0)
    """Minimum ratio of the model's hit rate to that of "most popular" on the same rows."""

    max_drop_from_baseline: Number = pydantic.Field(0.02, ge=0.0, le=1.0)
    """Maximum drop of the hit rate below that of the latest blessed model, as an absolute difference. For scale: on
    1,000 test rows, two seeds of one model differ by 0.01."""

    cold_start: ColdStart = ColdStart()
    """Gates for cold start."""

    slices: tuple[str, ...] = ()
    """Features of type category or multi_category; metrics are also computed per value. `name` is a feature of the
    queries, `target_name` one of the target candidate, `context_name` one of the target's own row in the log. Slices by
    history length and by the target's popularity always exist."""

    @pydantic.model_validator(mode="after")
    def _check_ks(self) -> Evaluate:
        if self.gate_k not in self.ks:
            raise ValueError(f"gate_k={self.gate_k} is not among ks={list(self.ks)}")
        if len(set(self.ks)) < len(self.ks):
            raise ValueError(f"expected each value in ks once, got {list(self.ks)}")
        return self
