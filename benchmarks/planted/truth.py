"""The planted model: clusters of items, popularity within them, and queries that drift from cluster to cluster.

Each item belongs to a cluster, and its weight follows Zipf's law. A query prefers a few clusters and is in one of them
at a time. After an interaction it stays with probability `STAY`. Otherwise it goes to the next of its clusters, or to
any of them. The next item is a successor of the last one (`FOLLOW`), an item of the current cluster by weight, or an
item of the whole catalogue by weight (`ANYWHERE`). An item that the query had is drawn again.

The probability of the next item is thus known. A ranking by it, with the query's state known, has the highest hit
rate that any model can have on average: the ceiling.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

CLUSTER_SIZE = 200
SUCCESSORS = 5
CLUSTERS_PER_QUERY = 3
STAY, FOLLOW, ANYWHERE = 0.85, 0.3, 0.1
# Shares of the successors, the first one the likeliest.
SUCCESSOR_SHARES = np.array([0.4, 0.25, 0.15, 0.12, 0.08])
_ZIPF = 0.9


class State(NamedTuple):
    """What the next item of each query depends on; int64 [queries] each."""

    cluster: np.ndarray
    last: np.ndarray
    """The last item; -1 before the first."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """The planted model of one catalogue. Items and clusters are numbers from 0."""

    cluster_of: np.ndarray
    """int64 [items]."""
    weights: np.ndarray
    """float64 [items], sum 1."""
    successors: np.ndarray
    """int64 [items, SUCCESSORS], of the same cluster."""
    by_cluster: np.ndarray
    """int64 [items], items in the order of their clusters."""
    starts: np.ndarray
    """int64 [clusters + 1], where each cluster starts in `by_cluster`."""

    @classmethod
    def plant(cls, items: int, random: np.random.Generator) -> Truth:
        """Draws a model with `items` items."""
        clusters = max(items // CLUSTER_SIZE, CLUSTERS_PER_QUERY)
        cluster_of = random.permutation(np.arange(items) % clusters)
        weights = (1.0 + random.permutation(items)) ** -_ZIPF
        by_cluster = np.argsort(cluster_of, kind="stable")
        starts = np.searchsorted(cluster_of[by_cluster], np.arange(clusters + 1))
        sizes = np.diff(starts)[cluster_of]
        # The items at the next places of the same cluster, in its random order.
        place = np.empty(items, np.int64)
        place[by_cluster] = np.arange(items)
        within = place - starts[cluster_of]
        steps = within[:, None] + 1 + np.arange(SUCCESSORS)
        successors = by_cluster[starts[cluster_of][:, None] + steps % sizes[:, None]]
        return cls(cluster_of, weights / weights.sum(), successors, by_cluster, starts)

    @property
    def clusters(self) -> int:
        """The number of clusters."""
        return len(self.starts) - 1

    def draw(self, state: State, random: np.random.Generator) -> np.ndarray:
        """Draws the next item of each query, int64 [queries]; it may be one that the query had."""
        number = len(state.cluster)
        kind = random.uniform(size=number)
        items = self._of_cluster(state.cluster, random)
        anywhere = kind >= 1.0 - ANYWHERE
        items[anywhere] = self._anywhere(int(anywhere.sum()), random)
        follows = (kind < FOLLOW) & (state.last >= 0)
        which = random.choice(SUCCESSORS, size=int(follows.sum()), p=SUCCESSOR_SHARES)
        items[follows] = self.successors[state.last[follows], which]
        return items

    def probabilities(self, cluster: int, last: int) -> np.ndarray:
        """Returns float64 [items], the probability of each next item of a query in a state, its past not excluded."""
        found = ANYWHERE * self.weights
        own = self.by_cluster[self.starts[cluster] : self.starts[cluster + 1]]
        # Before its first item, a query has no successor to follow.
        share = 1.0 - ANYWHERE - (FOLLOW if last >= 0 else 0.0)
        found[own] += share * self.weights[own] / self.weights[own].sum()
        if last >= 0:
            np.add.at(found, self.successors[last], FOLLOW * SUCCESSOR_SHARES)
        return found

    def _of_cluster(self, cluster: np.ndarray, random: np.random.Generator) -> np.ndarray:
        cumulated = self._cumulated
        low, high = cumulated[self.starts[cluster]], cumulated[self.starts[cluster + 1]]
        places = np.searchsorted(cumulated, low + random.uniform(size=len(cluster)) * (high - low), side="right") - 1
        return self.by_cluster[np.clip(places, self.starts[cluster], self.starts[cluster + 1] - 1)]

    def _anywhere(self, number: int, random: np.random.Generator) -> np.ndarray:
        cumulated = self._cumulated
        places = np.searchsorted(cumulated, random.uniform(size=number) * cumulated[-1], side="right") - 1
        return self.by_cluster[np.clip(places, 0, len(self.by_cluster) - 1)]

    @property
    def _cumulated(self) -> np.ndarray:
        """float64 [items + 1], cumulated weights in the order of `by_cluster`."""
        if "cumulated" not in self.__dict__:
            self.__dict__["cumulated"] = np.concatenate([[0.0], np.cumsum(self.weights[self.by_cluster])])
        cumulated: np.ndarray = self.__dict__["cumulated"]
        return cumulated


def drift(current: np.ndarray, own: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns the next place of each query among its clusters.

    Args:
      current: int64 [queries], places from 0.
      own: int64 [queries, CLUSTERS_PER_QUERY], the clusters of each query.
      random: Source of randomness.
    """
    draws = random.uniform(size=len(current))
    following = (current + 1) % own.shape[1]
    jumps = random.integers(own.shape[1], size=len(current))
    half = STAY + (1.0 - STAY) / 2
    return np.where(draws < STAY, current, np.where(draws < half, following, jumps))


def rank(scores: np.ndarray, target: int, seen: np.ndarray) -> int:
    """Returns the target's rank without seen items; equal scores count against the target."""
    allowed = np.ones(len(scores), bool)
    allowed[seen] = False
    allowed[target] = True
    return int(np.count_nonzero(scores[allowed] >= scores[target]))
