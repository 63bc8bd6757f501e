"""How large the effect of a part is, and whether it is more than noise.

Two kinds of noise are in a difference of two recipes: other rows would have given another one, which a paired bootstrap
over queries tells; and so would other seeds, which the seeds that were run tell. The interval has both. The spread over
seeds is taken to be the same for all recipes of a group, and pooled: three seeds alone say little of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shortlist.metrics import bootstrap, intervals

HELPS = "helps"
COSTS = "costs"
NO_EFFECT = "no effect beyond noise"


class Effect(NamedTuple):
    """What it changes to have a part, in top-k accuracy."""

    mean: float
    """With the part less without it, mean over the seeds."""
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """One of three words."""
        if self.low > 0:
            return HELPS
        return COSTS if self.high < 0 else NO_EFFECT


def hit_rates(ranks: Sequence[np.ndarray], k: int) -> list[float]:
    """Returns each seed's top-k accuracy.

    Args:
      ranks: By seed, [rows] each.
      k: Where the list is cut.
    """
    return [float(np.mean(of_seed <= k)) for of_seed in ranks]


def seed_noise(recipes: Sequence[Sequence[np.ndarray]], k: int) -> tuple[float, int]:
    """Returns (standard deviation of one seed's top-k accuracy, degrees of freedom), pooled over recipes.

    Args:
      recipes: Ranks by recipe and seed.
      k: Where the list is cut.
    """
    by_recipe = [hit_rates(ranks, k) for ranks in recipes]
    freedom = sum(len(rates) - 1 for rates in by_recipe)
    if not freedom:
        return math.nan, 0
    squares = sum(float(np.sum((np.array(rates) - np.mean(rates)) ** 2)) for rates in by_recipe)
    return math.sqrt(squares / freedom), freedom


def effect(
    with_part: Sequence[np.ndarray],
    without: Sequence[np.ndarray],
    queries: np.ndarray,
    k: int,
    noise: tuple[float, int],
) -> Effect:
    """Returns the effect of a part with its 95% interval.

    Args:
      with_part: Ranks by seed, [rows] each, of the recipe that has the part.
      without: The same rows' ranks by the recipe that lacks it.
      queries: [rows], the query of each.
      k: Where the list is cut.
      noise: As `seed_noise` returns it; where there is one seed alone, the interval is that of the rows.
    """
    rows = bootstrap.difference_of_top_k(with_part, without, queries, k)
    return with_seeds(rows, noise, 1 / len(with_part) + 1 / len(without))


def with_seeds(rows: bootstrap.Difference, noise: tuple[float, int], share: float) -> Effect:
    """Returns a difference whose interval has the noise of seeds beside that of the rows.

    Args:
      rows: The difference, with its interval of the rows.
      noise: As `seed_noise` returns it; where there is one seed alone, the interval is that of the rows.
      share: The variance of the difference over seeds, as a multiple of one seed's: for two means 1 / n + 1 / m.
    """
    deviation, freedom = noise
    seeds = intervals.student_t_95(freedom) * deviation * math.sqrt(share) if freedom else 0.0
    return Effect(
        rows.mean,
        rows.mean - math.hypot(rows.mean - rows.low, seeds),
        rows.mean + math.hypot(rows.high - rows.mean, seeds),
    )
