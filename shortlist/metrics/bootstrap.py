"""Paired bootstrap over queries for the difference between two models (Efron and Tibshirani, 1993).

Queries are drawn with replacement. All rows of a query are drawn together, and both models get the same queries. If a
model ran with several seeds, a row counts with its mean over them. The interval then covers the choice of queries, but
not the choice of seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SAMPLES = 10_000
LEAST_SAMPLES = 400
LEVEL = 0.95
Ranks = npt.NDArray[np.int64]
# Limit of drawn queries in total. Beyond 50,000 queries fewer samples are drawn; the interval is then a little noisier.
_MAX_DRAWS = 500_000_000


class Difference(NamedTuple):
    """Difference of two accuracies with its bootstrap interval."""

    mean: float
    low: float
    high: float


def difference_of_top_k(
    ours: Sequence[Ranks], theirs: Sequence[Ranks], queries: npt.NDArray[np.generic], k: int, seed: int = 1
) -> Difference:
    """Returns the difference in top-k accuracy, `ours` minus `theirs`.

    Args:
      ours: Ranks [num_rows] per seed, from 1 on.
      theirs: Ranks of the same rows per seed.
      queries: [num_rows], the query of each row.
      k: Length of the top list.
      seed: Seed of the draws.

    Raises:
      ValueError: A row has no rank because its target had been seen; leave such rows out.
    """
    if min((int(ranks.min(initial=1)) for ranks in (*ours, *theirs)), default=1) < 1:
        raise ValueError("expected ranks from 1 on, got rows without a rank; leave out targets that were seen before")
    gain = np.mean([ranks <= k for ranks in ours], axis=0) - np.mean([ranks <= k for ranks in theirs], axis=0)
    _, number = np.unique(queries, return_inverse=True)
    gains, sizes = np.bincount(number, gain), np.bincount(number)
    generator = np.random.default_rng(seed)
    samples = min(SAMPLES, max(LEAST_SAMPLES, _MAX_DRAWS // len(sizes)))
    draws = np.empty(samples)
    for sample in range(samples):
        times = np.bincount(generator.integers(len(sizes), size=len(sizes)), minlength=len(sizes))
        draws[sample] = (times @ gains) / (times @ sizes)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(gain.mean()), float(low), float(high))
