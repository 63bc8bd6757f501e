"""Exclusion, scoring and top-k on corpus rows, shared by exact and approximate search.

`TopK.query_with_exclusions` of TFRS lowers an excluded candidate's score only for sorting. If the exclusions use up the
results, it returns excluded candidates with their real scores. It also takes an empty slot of ScaNN (score NaN, row of
some real candidate) for a result. All functions here work on int32 corpus rows, where -1 stands for "none".
"""

from __future__ import annotations

import tensorflow as tf

from components.graph import gather_rows

LOWEST = tf.float32.min
NO_ROW = -1


def sort_rows(rows: tf.Tensor) -> tf.Tensor:
    """Returns rows in ascending order, at least one column wide.

    Args:
      rows: [batch, num_rows] int32, padded with -1; repeats are allowed.
    """
    # The added column of -1 lets `contains` gather even if there are no columns.
    return tf.sort(tf.pad(rows, [[0, 0], [1, 0]], constant_values=NO_ROW), axis=-1)


def count_distinct(sorted_rows: tf.Tensor) -> tf.Tensor:
    """Returns the number of distinct rows in each line of `sort_rows`' result, int32 [batch]."""
    is_new = sorted_rows[:, 1:] != sorted_rows[:, :-1]
    return tf.reduce_sum(tf.cast(is_new & (sorted_rows[:, 1:] != NO_ROW), tf.int32), axis=-1)


def contains(sorted_rows: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns whether each of `rows` is among `sorted_rows`, line by line.

    It is a binary search, because a comparison of all pairs needs num_rows times width memory.

    Args:
      sorted_rows: [batch, num_rows] int32, as `sort_rows` returns them.
      rows: [batch, width] int32.

    Returns:
      [batch, width] bool.
    """
    positions = tf.minimum(tf.searchsorted(sorted_rows, rows), tf.shape(sorted_rows)[1] - 1)
    return tf.gather(sorted_rows, positions, batch_dims=1) == rows


def count_found(rows: tf.Tensor) -> tf.Tensor:
    """Returns the number of results in each line of `rows` [batch, k], int32 [batch]."""
    return tf.reduce_sum(tf.cast(rows != NO_ROW, tf.int32), axis=-1)


def score_rows(queries: tf.Tensor, candidates: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns the scores of some candidates, float32 [batch, width].

    Each candidate is scored alone. A matrix product and ScaNN round a sum differently, depending on the position of the
    row and on the rest of the batch. Equal candidates would then not tie, and the exact copy would not agree.

    Args:
      queries: [batch, embedding_dim].
      candidates: [corpus_size, embedding_dim].
      rows: [batch, width] int32; the score of row -1 has no meaning.
    """
    return tf.reduce_sum(queries[:, tf.newaxis] * gather_rows(candidates, tf.maximum(rows, 0)), axis=-1)


def rank_rows(queries: tf.Tensor, candidates: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns scores and rows [batch, k] of an answer, scored by `score_rows` and sorted by these scores."""
    scores = score_rows(queries, candidates, rows)
    return top_rows(scores, rows, tf.ones_like(rows, tf.bool), rows.shape[1])


def top_rows(scores: tf.Tensor, rows: tf.Tensor, keep: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of the rows to keep, each row once, ties in the order of the corpus.

    Args:
      scores: [batch, width] float32; scores that are not finite are dropped.
      rows: [batch, width] int32, in any order; -1 is dropped.
      keep: [batch, width] bool, the rows to keep.
      k: Width of the answer; may exceed `width`.

    Returns:
      scores [batch, k] and rows [batch, k], best first, padded with the lowest finite float and -1.
    """
    rows = tf.where(keep & tf.math.is_finite(scores), rows, NO_ROW)
    order = tf.argsort(rows, axis=-1, stable=True)
    rows = tf.gather(rows, order, batch_dims=1)
    scores = tf.gather(scores, order, batch_dims=1)
    is_first = tf.pad(rows[:, 1:] != rows[:, :-1], [[0, 0], [1, 0]], constant_values=True)
    return top_of_ascending(scores, rows, is_first & (rows != NO_ROW), k)


def top_of_ascending(scores: tf.Tensor, rows: tf.Tensor, keep: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the result of `top_rows` for distinct ascending rows; `tf.math.top_k` takes the first of equal scores."""
    missing = tf.maximum(k - tf.shape(scores)[1], 0)
    columns = [[0, 0], [0, missing]]
    scores = tf.pad(tf.where(keep, scores, LOWEST), columns, constant_values=LOWEST)
    rows = tf.pad(tf.where(keep, rows, NO_ROW), columns, constant_values=NO_ROW)
    scores, positions = tf.math.top_k(scores, k=k)
    return scores, tf.gather(rows, positions, batch_dims=1)


def top_of_corpus(scores: tf.Tensor, excluded_rows: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of the whole corpus.

    Args:
      scores: [batch, corpus_size] float32; scores that are not finite are dropped.
      excluded_rows: [batch, num_excluded] int32, padded with -1.
      k: Width of the answer; may exceed the corpus.

    Returns:
      scores [batch, k] and rows [batch, k], as from `top_rows`.
    """
    size = tf.shape(scores)[1]
    named = tf.where(excluded_rows != NO_ROW)
    cells = tf.stack([tf.cast(named[:, 0], tf.int32), tf.gather_nd(excluded_rows, named)], axis=-1)
    scores = tf.where(tf.math.is_finite(scores), scores, LOWEST)
    scores = tf.tensor_scatter_nd_update(scores, cells, tf.fill([tf.shape(cells)[0]], LOWEST))
    missing = tf.maximum(k - size, 0)
    scores, rows = tf.math.top_k(tf.pad(scores, [[0, 0], [0, missing]], constant_values=LOWEST), k=k)
    return scores, tf.where(scores > LOWEST, rows, NO_ROW)
