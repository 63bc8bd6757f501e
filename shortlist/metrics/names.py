"""Names of the evaluation's metrics.

Metrics exclude seen items; names that end with `_with_seen` include them.
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNATURE = "evaluation"
"""The trained model's signature that returns ranks."""

SLICES_SIGNATURE = "slices"
"""The trained model's signature that returns the slices of `components.evaluator.slices`."""

COLD_START_SIGNATURE = "newcomer"
"""The trained model's signature, without inputs, that embeds a cold-start query: [num_moments, embedding_dim]."""

MODEL_FAMILY = "factorized_top_k"
POPULARITY_FAMILY = "popularity"
LIFT = "lift_over_popularity"
UNSEEN = "unseen in train"
"""Value of the slice `target_popularity` for targets without train interactions."""

UNSEEN_LIFT = "cold_start/unseen_top_100_lift_over_chance"
POPULAR_SHARE = "cold_start/empty_history_popular_share"
EXAMPLE_COUNT = "example_count"
"""All test rows: the denominator of the metrics `_with_seen`."""
NEW_TARGET_COUNT = "new_target_count"
"""Test rows whose target the query had not seen before: the denominator of the plain metrics."""
NDCG_K = 10
_SUFFIXES = {False: "", True: "_with_seen"}


def top_k(k: int, family: str = MODEL_FAMILY, with_seen: bool = False) -> str:
    """Returns `factorized_top_k/top_10_categorical_accuracy` and the like."""
    return f"{family}/top_{k}_categorical_accuracy{_SUFFIXES[with_seen]}"


def ndcg(family: str = MODEL_FAMILY, with_seen: bool = False) -> str:
    """Returns `ndcg_at_10`, `popularity/ndcg_at_10` and the like."""
    prefix = "" if family == MODEL_FAMILY else f"{family}/"
    return f"{prefix}ndcg_at_{NDCG_K}{_SUFFIXES[with_seen]}"


def counted_rows(metrics: Mapping[str, float]) -> float:
    """Returns the rows that plain metrics count; versions before 0.2 counted all."""
    return metrics.get(NEW_TARGET_COUNT, metrics.get(EXAMPLE_COUNT, 0.0))


def rows_of(metrics: Mapping[str, float], with_seen: bool) -> float:
    """Returns the denominator of the metrics with or without seen items."""
    return metrics.get(EXAMPLE_COUNT, 0.0) if with_seen else counted_rows(metrics)


def left_out(metrics: Mapping[str, float]) -> float:
    """Returns the fraction of all test rows that plain metrics leave out: their target had been seen before."""
    rows = metrics.get(EXAMPLE_COUNT, 0.0)
    return 1.0 - counted_rows(metrics) / rows if rows else 0.0
