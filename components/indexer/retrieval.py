"""Over-fetch, mask, top-k: what turns a nearest-neighbour search into an answer that keeps its promises.

`TopK.query_with_exclusions` of TFRS lowers an excluded candidate's score for sorting only: when the exclusions use up
the results, it returns excluded candidates with their real scores, and a slot that ScaNN left empty (score NaN, row of
some real candidate) passes as a result. Everything here works on corpus rows, int32, where -1 is "none".
"""

from __future__ import annotations

import tensorflow as tf

LOWEST = tf.float32.min
NO_ROW = -1


def sort_rows(rows: tf.Tensor) -> tf.Tensor:
    """Returns rows in ascending order, at least one column wide.

    Args:
      rows: [batch, num_rows] int32, -1 is none; repeats are fine.
    """
    # One "none" in front: a gather needs something to gather when there are no columns at all.
    return tf.sort(tf.pad(rows, [[0, 0], [1, 0]], constant_values=NO_ROW), axis=-1)


def count_distinct(sorted_rows: tf.Tensor) -> tf.Tensor:
    """Returns how many different rows each line of `sort_rows`' result names, int32 [batch]."""
    is_new = sorted_rows[:, 1:] != sorted_rows[:, :-1]
    return tf.reduce_sum(tf.cast(is_new & (sorted_rows[:, 1:] != NO_ROW), tf.int32), axis=-1)


def contains(sorted_rows: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns which of `rows` are among `sorted_rows`, line by line.

    A binary search: comparing all with all would take num_rows times width memory.

    Args:
      sorted_rows: [batch, num_rows] int32, as `sort_rows` returns them.
      rows: [batch, width] int32.

    Returns:
      [batch, width] bool.
    """
    positions = tf.minimum(tf.searchsorted(sorted_rows, rows), tf.shape(sorted_rows)[1] - 1)
    return tf.gather(sorted_rows, positions, batch_dims=1) == rows


def count_found(rows: tf.Tensor) -> tf.Tensor:
    """Returns how many results each line of `rows` [batch, k] has, int32 [batch]."""
    return tf.reduce_sum(tf.cast(rows != NO_ROW, tf.int32), axis=-1)


def score_rows(queries: tf.Tensor, candidates: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns the scores of some candidates, float32 [batch, width].

    Candidate by candidate: a matrix product, like ScaNN, rounds a sum differently by where the row stands and by what
    else is in the batch, so that equal candidates would not tie and twins would not agree.

    Args:
      queries: [batch, embedding_dim].
      candidates: [corpus_size, embedding_dim].
      rows: [batch, width] int32; the score of -1 means nothing.
    """
    return tf.reduce_sum(queries[:, tf.newaxis] * tf.gather(candidates, tf.maximum(rows, 0)), axis=-1)


def rank_rows(queries: tf.Tensor, candidates: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns an answer's scores and rows [batch, k], scored by `score_rows` and put in their order by it."""
    scores = score_rows(queries, candidates, rows)
    return top_rows(scores, rows, tf.ones_like(rows, tf.bool), rows.shape[1])


def top_rows(scores: tf.Tensor, rows: tf.Tensor, keep: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of what is kept, each row once, ties in the order of the corpus.

    Args:
      scores: [batch, width] float32; what is not finite is dropped.
      rows: [batch, width] int32, in any order; -1 is dropped.
      keep: [batch, width] bool.
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
    """Does `top_rows` for rows that are distinct and ascending already; of equal scores `top_k` takes the first."""
    missing = tf.maximum(k - tf.shape(scores)[1], 0)
    columns = [[0, 0], [0, missing]]
    scores = tf.pad(tf.where(keep, scores, LOWEST), columns, constant_values=LOWEST)
    rows = tf.pad(tf.where(keep, rows, NO_ROW), columns, constant_values=NO_ROW)
    scores, positions = tf.math.top_k(scores, k=k)
    return scores, tf.gather(rows, positions, batch_dims=1)


def top_of_corpus(scores: tf.Tensor, excluded_rows: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of the whole corpus.

    Args:
      scores: [batch, corpus_size] float32; what is not finite is dropped.
      excluded_rows: [batch, num_excluded] int32, -1 is none.
      k: Width of the answer; may exceed the corpus.

    Returns:
      scores [batch, k] and rows [batch, k], as `top_rows` does.
    """
    size = tf.shape(scores)[1]
    named = tf.where(excluded_rows != NO_ROW)
    cells = tf.stack([tf.cast(named[:, 0], tf.int32), tf.gather_nd(excluded_rows, named)], axis=-1)
    scores = tf.where(tf.math.is_finite(scores), scores, LOWEST)
    scores = tf.tensor_scatter_nd_update(scores, cells, tf.fill([tf.shape(cells)[0]], LOWEST))
    missing = tf.maximum(k - size, 0)
    scores, rows = tf.math.top_k(tf.pad(scores, [[0, 0], [0, missing]], constant_values=LOWEST), k=k)
    return scores, tf.where(scores > LOWEST, rows, NO_ROW)
