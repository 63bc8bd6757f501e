"""Counts of candidates that score worse than a target, by float32 products and exact scores of near-ties.

Products in float32 are several times as fast as in float64, and their error has a bound (Higham, Accuracy and
Stability of Numerical Algorithms, 2002, section 3.1): at most d * 2^-24 * |query| * |candidate|, in any order of
summation. A candidate whose float32 score is further from the target's than this bound is decided. The others, a few
per 100,000, are scored exactly. Counts are thus those of exact scores.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

_UNIT = 2.0**-24
# Roundings beside those of the product: of scaled queries, of the target's score and its bias, of a score to float32.
_MORE_ROUNDINGS = 8
# Sums of squares beyond these are not exact enough, and scaled queries might overflow.
_SMALLEST, _GREATEST = 1e-16, 1e16
MAX_PAIRS = 2**14
"""Pairs that are scored exactly at a time; a tile with more near-ties is scored as a whole in float64."""


class Scored(NamedTuple):
    """Queries with the exact scores of their targets."""

    queries: tf.Tensor
    """float64 [batch, embedding_dim]."""
    scores: tf.Tensor
    """float32 [batch]."""

    def is_worse(self, scores: tf.Tensor, queries: tf.Tensor | None = None) -> tf.Tensor:
        """Returns whether float32 scores [..., n] are finite and below the target's.

        Args:
          scores: [n], if there are `queries`; else [m, batch].
          queries: Optional [n], the query of each score.
        """
        own = self.scores if queries is None else tf.gather(self.scores, queries)
        # A non-finite score must not count as worse: the lower bound excludes minus infinity, and any comparison
        # with NaN is false.
        return (scores < own) & (scores >= tf.float32.min)


def exact_scores(queries: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Returns the float32 scores [n] of pairs: float64 [n, embedding_dim] and floats [n, embedding_dim]."""
    return tf.cast(tf.reduce_sum(queries * tf.cast(candidates, tf.float64), axis=1), tf.float32)


def worse_pairs(scored: Scored, candidates: tf.Tensor, queries: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns bool [n]: whether candidate `rows` [n] scores worse than the target of `queries` [n].

    Args:
      scored: The queries.
      candidates: floats [corpus, embedding_dim].
      queries: integers [n].
      rows: integers [n].
    """
    number = tf.size(queries)
    found = tf.TensorArray(tf.bool, tf.maximum(-(-number // MAX_PAIRS), 1), infer_shape=False, element_shape=[None])

    def step(start: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        some = slice(start, start + MAX_PAIRS)
        pairs = tf.gather(scored.queries, queries[some]), tf.gather(candidates, rows[some])
        return start + MAX_PAIRS, found.write(start // MAX_PAIRS, scored.is_worse(exact_scores(*pairs), queries[some]))

    # There is one chunk without pairs, because the result of an empty TensorArray has no shape.
    _, found = tf.while_loop(
        lambda start, _: start < tf.maximum(number, 1), step, [tf.constant(0), found], parallel_iterations=1
    )
    return found.concat()


def count_worse(scored: Scored, candidates: tf.Tensor) -> tf.Tensor:
    """Returns int64 [batch], the number of candidates that score worse than each query's target.

    Args:
      scored: The queries.
      candidates: floats [tile, embedding_dim].
    """
    places, decided = _screen(scored, candidates)
    total = tf.cast(tf.shape(candidates)[0], tf.int64)
    # A place is 0 or 6 for a decided candidate, else between them, where place * (6 - place) is positive. Sums of 0,
    # 6 and 36 are exact in float32. An undecided candidate adds at least 6.75 to the difference, and a sum of places
    # with a difference of 6 at most is rounded correctly: it is off by 2 at most.
    sums = tf.reduce_sum(places, axis=0)
    unsure = tf.where(6.0 * sums - tf.reduce_sum(tf.square(places), axis=0) > 6.0)[:, 0]
    of_unsure = tf.gather(places, unsure, axis=1)
    near = tf.where((of_unsure > 1.0) & (of_unsure < 5.0))

    def screened() -> tf.Tensor:
        queries = tf.gather(unsure, near[:, 1])
        worse = worse_pairs(scored, candidates, queries, near[:, 0])
        below = tf.reduce_sum(tf.cast(of_unsure <= 1.0, tf.int64), axis=0)
        exact = below + tf.math.unsorted_segment_sum(tf.cast(worse, tf.int64), near[:, 1], tf.size(unsure))
        sure = total - tf.cast(tf.round(sums / 6.0), tf.int64)
        return tf.tensor_scatter_nd_update(sure, unsure[:, tf.newaxis], exact)

    def whole() -> tf.Tensor:
        products = tf.matmul(tf.cast(candidates, tf.float64), scored.queries, transpose_b=True)
        worse = scored.is_worse(tf.cast(products, tf.float32))
        return tf.cast(tf.reduce_sum(tf.cast(worse, tf.int32), axis=0), tf.int64)

    return tf.cond(decided & (tf.shape(near)[0] <= MAX_PAIRS), screened, whole)


def _screen(scored: Scored, candidates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns float32 [tile, batch], 0 for worse, 6 for better and between for near-ties; and whether it is usable."""
    small = tf.cast(candidates, tf.float32)
    squares = tf.reduce_sum(tf.square(small), axis=1)
    longest = tf.sqrt(tf.reduce_max(squares))
    lengths = tf.cast(tf.norm(scored.queries, axis=1), tf.float32)
    dim = tf.cast(tf.shape(small)[1], tf.float32)
    margins = 2.0 * (dim + _MORE_ROUNDINGS) * _UNIT * (lengths * longest + tf.abs(scored.scores))
    # The margin is twice the bound. TensorFlow computes product, bias and clipping in one operation.
    scale = 3.0 / margins
    products = tf.matmul(small, tf.cast(scored.queries, tf.float32) * scale[:, tf.newaxis], transpose_b=True)
    places = tf.nn.relu6(tf.nn.bias_add(products, 3.0 - scored.scores * scale))
    # NaN and infinity reach the sum of all squares, while a maximum may ignore NaN.
    is_usual = tf.reduce_all((lengths > _SMALLEST) & (lengths < _GREATEST) & tf.math.is_finite(scored.scores))
    is_usual &= (longest > _SMALLEST) & (longest < _GREATEST) & tf.math.is_finite(tf.reduce_sum(squares))
    return places, is_usual
