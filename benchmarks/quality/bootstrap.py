"""How sure a difference between two contenders is: a paired bootstrap over queries (Efron and Tibshirani, 1993).

Queries are drawn with replacement, all rows of a query together and the same queries for both contenders. Where a
contender ran several seeds, a row counts by the mean over them: the interval is of which queries there happened to
be, for the mean of these seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SAMPLES = 10_000
LEVEL = 0.95


class Difference(NamedTuple):
    """A difference of two accuracies, and the interval of its bootstrap."""

    mean: float
    low: float
    high: float


def difference_of_top_k(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], queries: np.ndarray, k: int, seed: int = 1
) -> Difference:
    """Returns the difference in top-k accuracy, `ours` less `theirs`.

    Args:
      ours: Ranks by seed, [n] each.
      theirs: The same rows' ranks by seed.
      queries: [n], the query of each row.
      k: Where the list is cut.
      seed: Of the draws.
    """
    gain = np.mean([ranks <= k for ranks in ours], axis=0) - np.mean([ranks <= k for ranks in theirs], axis=0)
    _, number = np.unique(queries, return_inverse=True)
    gains, sizes = np.bincount(number, gain), np.bincount(number)
    generator = np.random.default_rng(seed)
    draws = np.empty(SAMPLES)
    for sample in range(SAMPLES):
        times = np.bincount(generator.integers(len(sizes), size=len(sizes)), minlength=len(sizes))
        draws[sample] = (times @ gains) / (times @ sizes)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(gain.mean()), float(low), float(high))
