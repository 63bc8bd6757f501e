"""Exclusion, scoring and top-k on corpus rows, shared by exact and approximate search.

`TopK.query_with_exclusions` of TFRS lowers an excluded candidate's score only for sorting. If the exclusions use up the
results, it returns excluded candidates with their real scores. It also takes an empty slot of ScaNN (score NaN, row of
some real candidate) for a result. All functions here work on int32 corpus rows, where -1 stands for "none".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.graph import gather_rows, graph_branch

LOWEST = tf.float32.min
NO_ROW = -1
_MOST_FETCHED = 512
# The key of `top_rows` for the lowest finite float and -1.
_PADDING_KEY = -0x7F800000 << 32


def pad(lists: Sequence[np.ndarray]) -> np.ndarray:
    """Returns lists of rows as one int32 array, [num_lists, longest], padded with -1."""
    padded = np.full((len(lists), max(map(len, lists), default=0)), NO_ROW, np.int32)
    for line, rows in zip(padded, lists, strict=True):
        line[: len(rows)] = rows
    return padded


def contains(lists: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns whether each of `rows` is in its line's list, bool [batch, width].

    The lists are sorted and searched. To compare all pairs is no quicker for one excluded row, and slower for 200.

    Args:
      lists: [batch, num_rows] int32, in any order, with repeats.
      rows: [batch, width] int32.
    """
    # `top_k` sorts in descending order. Inverted bits turn the order round.
    ascending = tf.bitwise.invert(tf.math.top_k(lists, k=tf.shape(lists)[1]).values)
    wanted = tf.bitwise.invert(rows)
    # tf.searchsorted flattens its inputs, which fails on an empty batch.
    first = tf.raw_ops.LowerBound(sorted_inputs=ascending, values=wanted, out_type=tf.int32)
    return first != tf.raw_ops.UpperBound(sorted_inputs=ascending, values=wanted, out_type=tf.int32)


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
      rows: [batch, width] int32, all in the corpus.
    """
    return tf.reduce_sum(queries[:, tf.newaxis] * gather_rows(candidates, rows), axis=-1)


def rank_rows(
    queries: tf.Tensor, candidates: tf.Tensor | tf.Variable, rows: tf.Tensor, keep: tf.Tensor, k: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of the rows to keep, scored by `score_rows`; see `top_rows`."""
    return top_rows(score_rows(queries, candidates, rows), rows, keep, k)


def top_rows(scores: tf.Tensor, rows: tf.Tensor, keep: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best k of the rows to keep, ties in the order of the corpus.

    Score and row form one 64-bit key, so that one `top_k` sorts by both. A sort by row before it took twice as long.

    Args:
      scores: [batch, width] float32; scores that are not finite are dropped.
      rows: [batch, width] int32, in any order, and distinct where `keep` is set.
      keep: [batch, width] bool, the rows to keep.
      k: Width of the answer; may exceed `width`.

    Returns:
      scores [batch, k] and rows [batch, k], best first, padded with the lowest finite float and -1.
    """
    # The row is the lower half of the key, inverted so that the lower row has the greater key.
    # Adding 0.0 turns -0.0, which is equal but has other bits, into 0.0.
    halves = [tf.bitwise.invert(rows), _ordered(tf.bitcast(scores + 0.0, tf.int32))]
    all_keys = tf.where(keep & tf.math.is_finite(scores), tf.bitcast(tf.stack(halves, axis=-1), tf.int64), _PADDING_KEY)
    # With k more columns there are always k.
    all_keys = tf.pad(all_keys, [[0, 0], [0, k]], constant_values=_PADDING_KEY)
    top = tf.math.top_k(all_keys, k=k).values
    inverted_rows, bits = tf.unstack(tf.bitcast(top, tf.int32), axis=-1)
    return tf.bitcast(_ordered(bits), tf.float32), tf.bitwise.invert(inverted_rows)


def _ordered(bits: tf.Tensor) -> tf.Tensor:
    """Returns integers in the order of floats with these bits, and the bits of such integers again.

    The bits of a positive float ascend with it. Those of a negative one do if all but the sign flip.
    """
    # Not tf.where, which takes five times as long as the three of them.
    flipped = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, 31), tf.int32.max)
    return tf.bitwise.bitwise_xor(bits, flipped)


def drop_repeats(rows: tf.Tensor) -> tf.Tensor:
    """Returns the distinct rows of each line in ascending order, [batch, width] int32, padded with -1 in between."""
    rows = tf.sort(rows, axis=-1)
    is_first = tf.pad(rows[:, 1:] != rows[:, :-1], [[0, 0], [1, 0]], constant_values=True)
    return tf.where(is_first[:, : tf.shape(rows)[1]], rows, NO_ROW)


def top_of_corpus(scores: tf.Tensor, excluded_rows: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns rows of the corpus that hold the best k, and which of them to keep, int32 and bool of one shape.

    The rows are [batch, at least min(k, corpus_size)], best first. Equal scores are in the order of the corpus.

    Args:
      scores: [batch, corpus_size] float32.
      excluded_rows: [batch, num_excluded] int32, padded with -1.
      k: Width of the answer; may exceed the corpus.
    """
    num_excluded = tf.shape(excluded_rows)[1]

    def fetch_more() -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.math.top_k(scores, k=tf.minimum(k + num_excluded, scores.shape[1])).indices
        return rows, ~contains(excluded_rows, rows)

    @graph_branch
    def lower(scores: tf.Tensor, excluded_rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        named = tf.where(excluded_rows != NO_ROW)
        cells = tf.stack([tf.cast(named[:, 0], tf.int32), tf.gather_nd(excluded_rows, named)], axis=-1)
        lowered = tf.tensor_scatter_nd_update(scores, cells, tf.fill([tf.shape(cells)[0]], LOWEST))
        top, rows = tf.math.top_k(lowered, k=min(k, scores.shape[1]))
        return rows, top > LOWEST

    # TensorFlow copies all scores before it lowers some: at 200,000 candidates a batch of 64 took 95 ms of CPU, and
    # takes 71 (up to 50 excluded rows) or 80 (200). From some 500 on the copy is quicker.
    return tf.cond(num_excluded <= _MOST_FETCHED, fetch_more, lambda: lower(scores, excluded_rows))
