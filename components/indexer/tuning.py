"""Search for ScaNN's cheapest parameters with sufficient recall."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from components.graph import graph_function
from components.indexer import retrieval
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannIndex, ScannParams

MAX_QUERIES = 500
_BATCH = 64
_LEAF_FRACTIONS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
_REORDER_FACTORS = (1, 2, 4, 8, 16)
_DIMENSIONS_PER_BLOCK = 2
# Cost of one 4-bit table look-up, of which a register does 16 at once, relative to one multiplication and addition.
_LOOKUP_COST = 0.25


@dataclasses.dataclass(frozen=True)
class TunedIndex:
    """The chosen index and its recall on the sample."""

    index: ScannIndex
    recall: float


def grid(corpus_size: int, embedding_dim: int, k: int, max_exclusions: int) -> list[ScannParams]:
    """Returns the parameters to try, the cheapest first.

    All share one clustering, whose number of leaves is the square root of the corpus size. Each rescores at least k
    plus `max_exclusions` candidates.

    Args:
      corpus_size: 16 or more.
      embedding_dim: Width of an embedding.
      k: Width of an answer.
      max_exclusions: Number of excluded candidates that a search fetches in addition to k.
    """
    num_leaves = max(2, round(math.sqrt(corpus_size)))
    leaves = {max(1, math.ceil(fraction * num_leaves)) for fraction in _LEAF_FRACTIONS}
    width = min(corpus_size, k + max_exclusions)
    reorders = {min(corpus_size, factor * width) for factor in _REORDER_FACTORS}
    params = [ScannParams(num_leaves, leaf, _DIMENSIONS_PER_BLOCK, reorder) for leaf in leaves for reorder in reorders]
    return sorted(params, key=lambda item: (cost(item, corpus_size, embedding_dim), item.leaves_to_search))


def cost(params: ScannParams, corpus_size: int, embedding_dim: int) -> float:
    """Returns the estimated cost of one search, in multiplications and additions.

    The cost is not measured, so that the same data gives the same index on a busy machine.
    """
    scored = corpus_size * params.leaves_to_search / params.num_leaves
    lookups = scored * embedding_dim / params.dimensions_per_block
    return (params.num_leaves + params.reorder) * embedding_dim + lookups * _LOOKUP_COST


def tune(candidates: tf.Variable, exact: ExactAnswers, k: int, max_exclusions: int, min_recall: float) -> TunedIndex:
    """Returns the cheapest index with sufficient recall, or the index with the highest recall.

    The target lies halfway between `min_recall` and 1, because the test queries are others than these. If no parameters
    reach the target, the cheapest that reach `min_recall` are used.

    Args:
      candidates: [corpus_size, embedding_dim], 16 rows or more, all finite.
      exact: The queries to tune on, one or more, and their exact answers.
      k: Width of an answer.
      max_exclusions: Number of excluded candidates that a search fetches in addition to k.
      min_recall: The recall@k to reach.
    """
    target = min_recall + (1.0 - min_recall) / 2
    steps = grid(int(candidates.shape[0]), int(candidates.shape[1]), k, max_exclusions)
    # One index is trained for all steps; leaves and rescored candidates are passed per search.
    index = ScannIndex(max(steps, key=lambda params: params.reorder), k, max_exclusions).index(candidates)
    search = _search(index, exact, k)
    measured: list[tuple[ScannParams, float]] = []
    for params in steps:
        measured.append((params, _recall(search(params), exact, max_exclusions)))
        # The steps are sorted by cost, so the first that reaches the target is the cheapest.
        if measured[-1][1] >= target:
            break
    best = max(recall for _, recall in measured)
    threshold = next(value for value in (target, min_recall, best) if value <= best)
    params, recall = next(item for item in measured if item[1] >= threshold)
    return TunedIndex(index.with_params(params), recall)


def _recall(served: np.ndarray, exact: ExactAnswers, max_exclusions: int) -> float:
    """Returns ScaNN's mean recall.

    An incomplete answer counts as it is, because the exact search that would complete it is slow. A query with more
    than `max_exclusions` counts 1, because it is searched exactly with any parameters.
    """
    is_searched = np.array([len(rows) <= max_exclusions for rows in exact.excluded])
    return float(np.where(is_searched, exact.recall(served), 1.0).mean())


def _search(index: ScannIndex, exact: ExactAnswers, k: int) -> Callable[[ScannParams], np.ndarray]:
    """Returns a function from parameters to the rows found, [num_queries, k], padded with -1."""

    @graph_function(reduce_retracing=True)
    def answer(queries: tf.Tensor, excluded: tf.Tensor, leaves: tf.Tensor, reorder: tf.Tensor) -> tf.Tensor:
        return index.approximate(queries, excluded, k, leaves, reorder)[1]

    excluded = _pad(exact.excluded)
    batches = [slice(start, start + _BATCH) for start in range(0, len(exact.queries), _BATCH)]

    def search(params: ScannParams) -> np.ndarray:
        leaves, reorder = tf.constant(params.leaves_to_search), tf.constant(params.reorder)
        return np.concatenate([answer(exact.queries[it], excluded[it], leaves, reorder).numpy() for it in batches])

    return search


def _pad(lists: Sequence[np.ndarray]) -> np.ndarray:
    """Returns lists of rows as one int32 array, [num_lists, longest], padded with -1."""
    padded = np.full((len(lists), max(map(len, lists), default=0)), retrieval.NO_ROW, np.int32)
    for line, rows in zip(padded, lists, strict=True):
        line[: len(rows)] = rows
    return padded
