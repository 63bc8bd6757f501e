"""Retrieval metrics from a histogram of ranks; each row has one relevant candidate, its target.

A histogram has one count per rank from 1 to width, and one count for all worse ranks:
`counts[r - 1]` rows have rank r, and `counts[width]` rows have a rank beyond width.
Its size does not depend on the corpus, and the histograms of shards can be added.
"""

from __future__ import annotations

import numpy as np

NO_HIT = 2**31 - 1
"""The rank of a target without a finite score: a hit at no K, however small the corpus is."""

NOT_RANKED = 0
"""The rank without seen items of a target that its query had seen; its row is in no plain metric."""


def histogram(ranks: np.ndarray, width: int) -> np.ndarray:
    """Returns the int64 [width + 1] counts of `ranks`, integers of any shape, without those that are `NOT_RANKED`.

    Raises:
      ValueError: A rank is below 0.
    """
    ranks = np.asarray(ranks, np.int64).reshape(-1)
    if ranks.size and ranks.min() < NOT_RANKED:
        raise ValueError(f"expected ranks from 1 on, or {NOT_RANKED}, got {ranks.min()}")
    ranks = ranks[ranks != NOT_RANKED]
    return np.bincount(np.minimum(ranks, width + 1) - 1, minlength=width + 1).astype(np.int64)


def hits(counts: np.ndarray, k: int) -> int:
    """Returns the number of rows whose target is among the first `k`.

    Raises:
      ValueError: The histogram is narrower than `k`.
    """
    if k >= len(counts):
        raise ValueError(f"k={k} needs a histogram of width {k} or more, got {len(counts) - 1}")
    return int(counts[:k].sum())


def top_k_accuracy(counts: np.ndarray, k: int) -> float:
    """Returns the hit rate at `k`: the share of rows whose target is among the first `k`; NaN without rows."""
    return _ratio(hits(counts, k), int(counts.sum()))


def ndcg(counts: np.ndarray, k: int) -> float:
    """Returns the mean NDCG@k: 1 / log2(rank + 1) up to rank `k`, 0 beyond; NaN without rows.

    With one relevant candidate per row, the ideal DCG is 1 (Järvelin and Kekäläinen, 2002).
    """
    hits(counts, k)  # raises if the histogram is too narrow
    gains = 1.0 / np.log2(np.arange(k) + 2.0)
    return _ratio(float(counts[:k] @ gains), int(counts.sum()))


def lift(counts: np.ndarray, baseline_counts: np.ndarray, k: int) -> float:
    """Returns the lift: the hits at `k`, divided by the baseline's hits on the same rows.

    A baseline without hits counts as one with a single hit, so that the lift is finite.
    A model with 2 hits then has lift 2, and a model without hits has lift 0.
    """
    # The hits are divided, not the accuracies: 11 / 10 is the same float as 1.1, but 0.11 / 0.1 is less.
    return hits(counts, k) / max(hits(baseline_counts, k), 1)


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")
