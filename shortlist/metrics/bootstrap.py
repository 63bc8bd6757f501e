"""How sure a difference between two models is: a paired bootstrap over queries (Efron and Tibshirani, 1993).

Queries are drawn with replacement, all rows of a query together and the same queries for both. Where a
model ran several seeds, a row counts by the mean over them: the interval is of which queries there happened to
be, for the mean of these seeds.
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
# Draws of queries in all: beyond 50,000 queries fewer samples are taken, and their noise tells less of the interval.
_MOST_DRAWS = 500_000_000


class Difference(NamedTuple):
    """A difference of two accuracies, and the interval of its bootstrap."""

    mean: float
    low: float
    high: float


def difference_of_top_k(
    ours: Sequence[Ranks], theirs: Sequence[Ranks], queries: npt.NDArray[np.generic], k: int, seed: int = 1
) -> Difference:
    """Returns the difference in top-k accuracy, `ours` less `theirs`.

    Args:
      ours: Ranks by seed, [n] each, from 1 on.
      theirs: The same rows' ranks by seed.
      queries: [n], the query of each row.
      k: Where the list is cut.
      seed: Of the draws.

    Raises:
      ValueError: A row has no rank, since its target had been seen: such rows are to be left out.
    """
    if min((int(ranks.min(initial=1)) for ranks in (*ours, *theirs)), default=1) < 1:
        raise ValueError("expected ranks from 1 on, got rows without a rank; leave out targets that were seen before")
    gain = np.mean([ranks <= k for ranks in ours], axis=0) - np.mean([ranks <= k for ranks in theirs], axis=0)
    _, number = np.unique(queries, return_inverse=True)
    gains, sizes = np.bincount(number, gain), np.bincount(number)
    generator = np.random.default_rng(seed)
    samples = min(SAMPLES, max(LEAST_SAMPLES, _MOST_DRAWS // len(sizes)))
    draws = np.empty(samples)
    for sample in range(samples):
        times = np.bincount(generator.integers(len(sizes), size=len(sizes)), minlength=len(sizes))
        draws[sample] = (times @ gains) / (times @ sizes)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(gain.mean()), float(low), float(high))
