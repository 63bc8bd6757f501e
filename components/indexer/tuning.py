"""Search for ScaNN's cheapest parameters with sufficient recall."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from components.graph import graph_function
from components.indexer import retrieval
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannIndex, ScannParams

MAX_QUERIES = 500
DEPTHS = (2.5, 5.0, 10.0)
"""Deeper searches that are tuned too, in answers. Where filters let one in eight pass, ten answers are fetched.

Beyond them exact search of what passes takes as long: 2 ms at 200,000 candidates where one in ten passes.
"""
STANDARD_ERRORS = 3.0
"""Margin above `min_recall`, in standard errors of the difference to the gate's queries, which are others."""
# With fewer queries the standard error is no estimate: all of 10 answers may be right by chance.
_MIN_QUERIES = 50
# Queries for the deeper searches, whose exact answers are longer.
_DEEP_QUERIES = 100
_BATCH = 64
_DIMENSIONS_PER_BLOCK = 2
_MIN_LEAF_FRACTION = 0.01
_LEAF_GROWTH = 1.2
# Largest number of rescored candidates that is tried, in answers, and at least.
_MAX_REORDER_FACTOR = 16
_MIN_MAX_REORDER = 4_096
# Costs relative to one multiplication and addition of a product of matrices, which takes 0.07 ns. A 4-bit table look-up
# takes 0.02 ns; a register does 16 at once. Rescoring takes 1.8 ns per dimension, because each candidate is gathered
# from a random place.
_LOOKUP_COST = 0.25
_RESCORE_COST = 25.0


@dataclasses.dataclass(frozen=True)
class Margin:
    """The recall that tuning needs, so that the gate rejects few indexes by chance."""

    min_recall: float
    num_queries: int
    """Number of queries to tune on."""
    num_gate_queries: int

    def is_exceeded(self, recall: np.ndarray) -> bool:
        """Returns whether the mean recall of queries, float64 [num_queries], exceeds `min_recall` by the margin."""
        error = float(recall.std()) * math.sqrt(1 / self.num_queries + 1 / self.num_gate_queries)
        return float(recall.mean()) >= self.min_recall + STANDARD_ERRORS * error


@dataclasses.dataclass(frozen=True)
class Trial:
    """Parameters and their recall on the sample."""

    params: ScannParams
    recall: float
    is_sufficient: bool
    """Whether the recall exceeds `min_recall` by the margin."""


@dataclasses.dataclass(frozen=True)
class TunedIndex:
    """The chosen index, its recall on the sample and the trials."""

    index: ScannIndex
    recall: float
    trials: Sequence[Trial]


def cost(params: ScannParams, corpus_size: int, embedding_dim: int) -> float:
    """Returns the estimated cost of one search, in multiplications and additions.

    The cost is not measured, so that the same data gives the same index on a busy machine.
    """
    scored = corpus_size * params.leaves_to_search / params.num_leaves
    lookups = scored * embedding_dim / params.dimensions_per_block
    return params.num_leaves * embedding_dim + lookups * _LOOKUP_COST + params.reorder * embedding_dim * _RESCORE_COST


def tune(
    candidates: tf.Variable,
    exact: ExactAnswers,
    k: int,
    max_exclusions: int,
    min_recall: float,
    num_gate_queries: int,
    num_searchers: int = 1,
) -> TunedIndex:
    """Returns the cheapest index with sufficient recall, or the index with the highest recall.

    The recall must exceed `min_recall` by three standard errors of the difference between the mean of these queries and
    that of the gate's. The smallest sufficient number of leaves is found by bisection, from 1% of the leaves on. More
    leaves can do with fewer rescored candidates, so larger numbers are tried as long as they may be cheaper. The number
    of rescored candidates needs no trials: ScaNN returns them in order, so one search gives the recall of every number.
    With fewer than 50 queries, all leaves are searched and the most candidates rescored.

    Args:
      candidates: [corpus_size, embedding_dim], 16 rows or more, all finite.
      exact: The queries to tune on, one or more, and their exact answers.
      k: Width of an answer.
      max_exclusions: Number of excluded candidates that a search fetches in addition to k.
      min_recall: The recall@k to reach on other queries, one or more.
      num_gate_queries: Number of those other queries.
      num_searchers: Parts of the corpus with a searcher each, which all have the same parameters.
    """
    size = int(candidates.shape[0]) // num_searchers
    num_leaves = max(2, round(math.sqrt(size)))
    max_reorder = min(size, max(_MAX_REORDER_FACTOR * k, _MIN_MAX_REORDER))
    # One index is trained for all trials; leaves and rescored candidates are passed per search.
    widest = ScannParams(num_leaves, num_leaves, _DIMENSIONS_PER_BLOCK, max_reorder)
    index = ScannIndex(widest, k, max_exclusions, num_searchers).index(candidates)
    best, trials = _cheapest(index, exact, k, Margin(min_recall, len(exact.queries), num_gate_queries))
    deep = {}
    for depth in DEPTHS:
        params = _deep_params(index, exact, round(k * depth), min_recall, num_gate_queries)
        if params is None:
            break
        deep[depth] = params
    return TunedIndex(index.with_params(best.params, deep), best.recall, trials)


def _deep_params(
    index: ScannIndex, exact: ExactAnswers, width: int, min_recall: float, num_gate_queries: int
) -> ScannParams | None:
    """Returns the cheapest parameters with sufficient recall of the best `width` candidates, or None.

    The recall of an answer says little about deeper results: they are in other leaves, and their approximate scores are
    closer to each other. At 200,000 candidates parameters with a recall@100 of 0.993 had a recall@200 of 0.91.
    """
    size = len(exact.candidates) // index.num_searchers
    queries, excluded = exact.queries[:_DEEP_QUERIES], exact.excluded[:_DEEP_QUERIES]
    deep_answers = ExactAnswers.find(queries, exact.candidates, excluded, width)
    widest = dataclasses.replace(index.params, reorder=min(size, _MAX_REORDER_FACTOR * width))
    margin = Margin(min_recall, len(queries), num_gate_queries)
    best, _ = _cheapest(index.with_params(widest), deep_answers, width, margin)
    return best.params if best.is_sufficient else None


def _cheapest(index: ScannIndex, exact: ExactAnswers, k: int, margin: Margin) -> tuple[Trial, list[Trial]]:
    """Returns the cheapest trial with sufficient recall, or that with the highest recall; and all trials.

    Args:
      index: The index, with the largest parameters to try.
      exact: The queries and their exact answers.
      k: Width of these answers.
      margin: The recall@k to reach.
    """
    widest = index.params
    num_leaves = widest.num_leaves
    size, dim = len(exact.candidates) // index.num_searchers, exact.candidates.shape[1]
    count_hits = _hit_counter(index, exact)
    if len(exact.queries) < _MIN_QUERIES:
        every = _trial(widest, count_hits(num_leaves), exact, margin)
        return every, [every]
    trials: dict[int, Trial] = {}

    def best_trial(leaves: int) -> Trial:
        """Returns the trial with the fewest rescored candidates that suffice, or with the most."""
        if leaves not in trials:
            trials[leaves] = _fewest_rescored(
                dataclasses.replace(widest, leaves_to_search=leaves), count_hits(leaves), exact, k, margin
            )
        return trials[leaves]

    enough = _bisect(math.ceil(_MIN_LEAF_FRACTION * num_leaves), num_leaves, lambda it: best_trial(it).is_sufficient)
    best = best_trial(enough)
    if best.is_sufficient:
        for leaves in _growing(enough, num_leaves):
            if cost(dataclasses.replace(widest, leaves_to_search=leaves, reorder=min(k, size)), size, dim) >= cost(
                best.params, size, dim
            ):
                break
            best = min(best, best_trial(leaves), key=lambda trial: cost(trial.params, size, dim))
    else:
        best = max(trials.values(), key=lambda trial: (trial.recall, -trial.params.leaves_to_search))
    return best, [trials[leaves] for leaves in sorted(trials)]


def _bisect(low: int, high: int, suffices: Callable[[int], bool]) -> int:
    """Returns the smallest sufficient number from `low` to `high`, by geometric means; `high` if none suffices."""
    while low < high:
        middle = min(int(math.sqrt(low * high)), high - 1)
        if suffices(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _growing(first: int, last: int) -> list[int]:
    """Returns numbers from `first` to `last`, each about a fifth greater than the one before."""
    powers = (round(first * _LEAF_GROWTH**power) for power in itertools.count(1))
    return sorted({*itertools.takewhile(lambda number: number < last, powers), last} - {first})


def _fewest_rescored(widest: ScannParams, hits: np.ndarray, exact: ExactAnswers, k: int, margin: Margin) -> Trial:
    """Returns the trial with the fewest rescored candidates that suffice, or with `widest.reorder`.

    Args:
      widest: The parameters, with the largest number of rescored candidates.
      hits: See `_hit_counter`.
      exact: The queries and their exact answers.
      k: Width of an answer, and the smallest number of rescored candidates.
      margin: The recall@k to reach.
    """

    def trial(reorder: int) -> Trial:
        return _trial(dataclasses.replace(widest, reorder=reorder), hits, exact, margin)

    most = widest.reorder
    return trial(_bisect(min(k, most), most, lambda reorder: trial(reorder).is_sufficient))


def _trial(params: ScannParams, hits: np.ndarray, exact: ExactAnswers, margin: Margin) -> Trial:
    """Returns the recall of parameters, from the hits of their number of leaves."""
    recall = np.minimum(hits[:, params.reorder - 1], exact.depth) / np.maximum(exact.depth, 1)
    recall[exact.depth == 0] = 1.0
    return Trial(params, float(recall.mean()), margin.is_exceeded(recall))


def _hit_counter(index: ScannIndex, exact: ExactAnswers) -> Callable[[int], np.ndarray]:
    """Returns a function from a number of leaves to the number of correct results.

    Its result is int32 [num_queries, max_reorder]: how many of the first 1, 2, 3... candidates that ScaNN returns, in
    addition to the exclusions, belong to the exact answer. An incomplete answer counts as it is, because the exact
    search that would complete it is slow. A query with more than `max_exclusions` counts as correct, because it is
    searched exactly with any parameters.
    """
    most = index.params.reorder

    @graph_function(reduce_retracing=True)
    def fetch(queries: tf.Tensor, excluded: tf.Tensor, leaves: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return index.fetch(queries, excluded, leaves)

    excluded = retrieval.pad(exact.excluded)

    def count(leaves: int) -> np.ndarray:
        counts = np.empty((len(exact.queries), most), np.int32)
        for start in range(0, len(counts), _BATCH):
            batch = slice(start, start + _BATCH)
            rows, is_candidate, num_excluded = (
                it.numpy() for it in fetch(exact.queries[batch], excluded[batch], tf.constant(leaves))
            )
            for line, query in enumerate(range(start, min(start + _BATCH, len(counts)))):
                if num_excluded[line] > index.max_exclusions:
                    counts[query] = exact.depth[query]
                    continue
                hits = exact.is_hit(query, rows[line]) & is_candidate[line]
                found = hits.reshape(index.num_searchers, -1).cumsum(axis=1).sum(axis=0)
                # The exclusions are fetched in addition, and clusters that hold fewer give fewer.
                positions = np.minimum(np.arange(most) + num_excluded[line], len(found) - 1)
                counts[query] = found[positions]
        return counts

    return count
