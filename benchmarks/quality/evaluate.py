"""Ranks and metrics from scores: the product's definitions (`components/evaluator/ranks.py`) on dense matrices.

The rank of a target is 1 + the number of candidates with a greater score + the number of other candidates with an equal
score. Seen candidates do not count. A target that the query had seen is not ranked. A target whose score is not finite
is a hit at no K. Another candidate's score that is not finite counts as greater.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality import exchange
from components.evaluator import rank_metrics

KS = (1, 10, 100)
NDCG_K = 10
# Rows that are ranked at once; with 4,000 candidates a block of scores takes 4 MB.
_BLOCK = 256


def split_ranks(scores: np.ndarray, split: exchange.Split, phase: str) -> np.ndarray:
    """Returns the rank of each target row of a phase, int64 [n].

    Args:
      scores: float32 [len(split.queries(phase)), num_candidates].
      split: The rows.
      phase: eval or test.

    Raises:
      ValueError: The scores have another shape.
    """
    rows = getattr(split, phase)
    queries = split.queries(phase)
    expected = (len(queries), split.num_candidates)
    if scores.shape != expected:
        raise ValueError(f"expected scores of shape {expected} for {phase}, got {scores.shape}")
    history = split.history(phase)
    starts = np.searchsorted(history.query, queries)
    ends = np.searchsorted(history.query, queries, side="right")
    return target_ranks(
        scores,
        np.searchsorted(queries, rows.query),
        rows.candidate,
        [history.candidate[start:end] for start, end in zip(starts, ends, strict=True)],
    )


def target_ranks(scores: np.ndarray, query_rows: np.ndarray, targets: np.ndarray, seen: list[np.ndarray]) -> np.ndarray:
    """Returns the rank of each target, int64 [n]: from 1 to corpus, `rank_metrics.NO_HIT` or `NOT_RANKED`.

    Args:
      scores: float32 [queries, corpus].
      query_rows: int [n], each target's row of `scores`.
      targets: int [n], each target's column of `scores`.
      seen: The columns of seen candidates for each row of `scores`, in any order. The target may be among them.
    """
    ranks = np.empty(len(targets), np.int64)
    for start in range(0, len(targets), _BLOCK):
        block = slice(start, start + _BLOCK)
        columns = targets[block]
        own_scores = np.asarray(scores[query_rows[block]])
        target_scores = own_scores[np.arange(len(columns)), columns]
        # The target itself counts, which is the "1 +" of the rank.
        counts = ~((own_scores < target_scores[:, np.newaxis]) & np.isfinite(own_scores))
        for number, row in enumerate(query_rows[block]):
            counts[number, seen[row]] = False
        own = np.arange(len(columns)), columns
        is_seen = ~counts[own]
        counts[own] = True
        found = np.where(np.isfinite(target_scores), counts.sum(axis=1), rank_metrics.NO_HIT)
        ranks[block] = np.where(is_seen, rank_metrics.NOT_RANKED, found)
    return ranks


def metrics(ranks: np.ndarray) -> dict[str, float]:
    """Returns `top_1`, `top_10`, `top_100` and `ndcg_10`."""
    counts = rank_metrics.histogram(ranks, max(KS))
    accuracies = {f"top_{k}": rank_metrics.top_k_accuracy(counts, k) for k in KS}
    return accuracies | {f"ndcg_{NDCG_K}": rank_metrics.ndcg(counts, NDCG_K)}
