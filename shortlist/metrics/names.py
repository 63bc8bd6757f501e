"""Names of the evaluation's metrics.

Metrics exclude seen items; names that end with `_with_seen` include them.
"""

from __future__ import annotations

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
NDCG_K = 10
_SUFFIXES = {False: "", True: "_with_seen"}


def top_k(k: int, family: str = MODEL_FAMILY, with_seen: bool = False) -> str:
    """Returns `factorized_top_k/top_10_categorical_accuracy` and the like."""
    return f"{family}/top_{k}_categorical_accuracy{_SUFFIXES[with_seen]}"


def ndcg(family: str = MODEL_FAMILY, with_seen: bool = False) -> str:
    """Returns `ndcg_at_10`, `popularity/ndcg_at_10` and the like."""
    prefix = "" if family == MODEL_FAMILY else f"{family}/"
    return f"{prefix}ndcg_at_{NDCG_K}{_SUFFIXES[with_seen]}"
