"""The effect of a part of a recipe, with a confidence interval.

A difference of two recipes has two kinds of noise. The noise of the rows is estimated by a paired bootstrap over
queries, the noise of the seeds by the spread over the seeds that were run. The interval includes both. The spread over
seeds is assumed equal for all recipes of a group, and pooled over them: three seeds alone estimate it badly.
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
    """The change of top-k accuracy by a part, with its 95% interval."""

    mean: float
    """Top-k accuracy with the part minus without it, mean over the seeds."""
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`HELPS` or `COSTS` if the interval excludes zero, else `NO_EFFECT`."""
        if self.low > 0:
            return HELPS
        if self.high < 0:
            return COSTS
        return NO_EFFECT


def hit_rates(ranks: Sequence[np.ndarray], k: int) -> list[float]:
    """Returns each seed's top-k accuracy.

    Args:
      ranks: [rows] for each seed.
      k: Length of the list.
    """
    return [float(np.mean(of_seed <= k)) for of_seed in ranks]


def seed_noise(recipes: Sequence[Sequence[np.ndarray]], k: int) -> tuple[float, int]:
    """Returns (standard deviation of one seed's top-k accuracy, degrees of freedom), pooled over recipes.

    Args:
      recipes: Ranks by recipe and seed, [rows] each.
      k: Length of the list.
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
      with_part: Ranks by the recipe that has the part, [rows] for each seed.
      without: Ranks of the same rows by the recipe that lacks it, [rows] for each seed.
      queries: [rows], the query of each row.
      k: Length of the list.
      noise: Result of `seed_noise`. With a single seed the interval covers the noise of the rows only.
    """
    rows = bootstrap.difference_of_top_k(with_part, without, queries, k)
    return with_seeds(rows, noise, 1 / len(with_part) + 1 / len(without))


def with_seeds(rows: bootstrap.Difference, noise: tuple[float, int], share: float) -> Effect:
    """Returns a difference whose interval also covers the noise of the seeds.

    The two noises are independent, so that the half-widths add in quadrature.

    Args:
      rows: The difference, with an interval that covers the noise of the rows.
      noise: Result of `seed_noise`. With a single seed the interval stays as it is.
      share: The variance of the difference over seeds, as a multiple of one seed's: 1 / n + 1 / m for two means over
        n and m seeds.
    """
    deviation, freedom = noise
    seeds = 0.0
    if freedom:
        seeds = intervals.student_t_95(freedom) * deviation * math.sqrt(share)
    return Effect(
        rows.mean,
        rows.mean - math.hypot(rows.mean - rows.low, seeds),
        rows.mean + math.hypot(rows.high - rows.mean, seeds),
    )
