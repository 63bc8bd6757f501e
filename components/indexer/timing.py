"""Latency of the trials of a tuning, measured after the choice.

The choice goes by an estimated cost, so that the same data gives the same index on any machine. These measurements are
recorded for the reader alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from components.graph import graph_function
from components.indexer import retrieval
from components.indexer.recall import ExactAnswers, latency_ms
from components.indexer.scann_index import ScannIndex, ScannParams

_QUERIES = 50
_CALLS = 50


def trial_ms(index: ScannIndex, params: Sequence[ScannParams], exact: ExactAnswers, k: int) -> list[float]:
    """Returns the median time of a single query's search with each of the parameters, in ms, without the query tower.

    Args:
      index: An index whose trained searchers all parameters share.
      params: The parameters of each trial.
      exact: The queries and their excluded rows, of which 50 are used.
      k: Width of an answer.
    """

    # One graph for all trials: tracing takes longer than the measurement.
    @graph_function(reduce_retracing=True)
    def search(
        queries: tf.Tensor, exclusions: tf.Tensor, leaves: tf.Tensor, reorder: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        rows, is_candidate, _ = index.fetch(queries, exclusions, leaves, reorder)
        return index.rank(queries, rows, is_candidate, k)

    requests = _requests(exact)
    medians = []
    for it in params:
        arguments = {"leaves": tf.constant(it.leaves_to_search), "reorder": tf.constant(it.reorder)}
        medians.append(latency_ms(search, [request | arguments for request in requests], _CALLS)[0])
    return medians


def exact_ms(index: ScannIndex, exact: ExactAnswers, k: int) -> float:
    """Returns the median time of a single query's exact search, in ms; see `trial_ms`."""

    @graph_function(reduce_retracing=True)
    def search(queries: tf.Tensor, exclusions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return index.search_exactly(queries, exclusions, k)

    return latency_ms(search, _requests(exact), _CALLS)[0]


def _requests(exact: ExactAnswers) -> list[dict[str, tf.Tensor]]:
    excluded = retrieval.pad(exact.excluded[:_QUERIES])
    return [
        {"queries": tf.constant(exact.queries[row : row + 1]), "exclusions": tf.constant(excluded[row : row + 1])}
        for row in range(len(excluded))
    ]
