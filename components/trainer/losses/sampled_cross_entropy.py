"""Cross-entropy of targets against negatives that all of them share, without holding [targets, negatives] scores."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from components.trainer.losses.base import MIN_FLOAT

PIECE_CELLS = 2**20
"""Scores held at a time: 4 MiB of float32, which stays in a cache."""


class Negatives(NamedTuple):
    """The negatives of a batch."""

    embeddings: tf.Tensor
    """float32 [num_negatives, embedding_dim]."""
    log_weights: tf.Tensor
    """float32 [num_windows, num_negatives], added to the scores of a window's targets; `MIN_FLOAT` is a mask."""


def sampled_cross_entropy(
    queries: tf.Tensor,
    positives: tf.Tensor,
    weights: tf.Tensor,
    windows: tf.Tensor,
    negatives: Negatives,
    hits: tf.Tensor | None = None,
    num_hardest: int | None = None,
) -> tf.Tensor:
    """Returns the weighted sum of log(1 + the sum of w exp(score of a negative - score of the positive)).

    This is a softmax in which negative j counts w_j times and the positive once. Scores of some queries at a time
    become their share of the gradient at once, as in `corpus_cross_entropy`.

    Args:
      queries: float32 [num_queries, embedding_dim].
      positives: float32 [num_queries, embedding_dim], the embedding of each query's target.
      weights: float32 [num_queries]; constants to the gradient.
      windows: int32 [num_queries], the row of each query in `negatives.log_weights`.
      negatives: The negatives; their log weights are constants to the gradient.
      hits: Optional int32 [num_queries], the negative that is a query's target and does not count; -1 for none.
      num_hardest: Only so many negatives count per query, those with the highest weighted scores, and others with the
        same score as the last of them. All by default.
    """

    @tf.custom_gradient
    def total(queries: tf.Tensor, positives: tf.Tensor, embeddings: tf.Tensor) -> tuple[tf.Tensor, object]:
        batch = _Batch(queries, positives, weights, windows, hits)
        loss, *gradients = _by_pieces(batch, negatives._replace(embeddings=embeddings), num_hardest)
        return loss, lambda upstream: [upstream * gradient for gradient in gradients]

    return total(queries, positives, negatives.embeddings)


class _Batch(NamedTuple):
    """All queries, or some of them."""

    queries: tf.Tensor
    positives: tf.Tensor
    weights: tf.Tensor
    windows: tf.Tensor
    hits: tf.Tensor | None

    def some(self, start: tf.Tensor, end: tf.Tensor) -> _Batch:
        return _Batch(*(None if column is None else column[start:end] for column in self))


class _Piece(NamedTuple):
    """Loss and gradients of some of the queries."""

    loss: tf.Tensor
    """The weighted sum."""
    query_gradient: tf.Tensor
    """[rows, embedding_dim]."""
    positive_gradient: tf.Tensor
    """[rows, embedding_dim]."""
    negative_gradient: tf.Tensor
    """[num_negatives, embedding_dim]."""


def _by_pieces(
    batch: _Batch, negatives: Negatives, num_hardest: int | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the loss and its gradients by queries, positives and negatives."""
    number = tf.shape(batch.queries)[0]
    rows = tf.maximum(PIECE_CELLS // tf.maximum(tf.shape(negatives.embeddings)[0], 1), 1)
    # Without queries there is one empty piece, because the result of an empty TensorArray has no shape.
    last = tf.maximum(number, 1)

    def step(
        start: tf.Tensor,
        loss: tf.Tensor,
        by_query: tf.TensorArray,
        by_positive: tf.TensorArray,
        by_negative: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray, tf.Tensor]:
        piece = _piece(batch.some(start, start + rows), negatives, num_hardest)
        return (
            start + rows,
            loss + piece.loss,
            by_query.write(start // rows, piece.query_gradient),
            by_positive.write(start // rows, piece.positive_gradient),
            by_negative + piece.negative_gradient,
        )

    def column() -> tf.TensorArray:
        shape = [None, batch.queries.shape[-1]]
        return tf.TensorArray(batch.queries.dtype, -(-last // rows), infer_shape=False, element_shape=shape)

    _, loss, by_query, by_positive, by_negative = tf.while_loop(
        lambda start, *_: start < last,
        step,
        [0, tf.zeros([], batch.queries.dtype), column(), column(), tf.zeros_like(negatives.embeddings)],
        parallel_iterations=2,
    )
    return loss, by_query.concat(), by_positive.concat(), by_negative


def _piece(batch: _Batch, negatives: Negatives, num_hardest: int | None) -> _Piece:
    """Scores some queries against the negatives.

    With e = exp(scores - max) and s = a row's sum of e with the positive's share, the gradient of a score is
    weight e / s, and that of the positive's score is the same less the weight.
    """
    embeddings = negatives.embeddings
    scores = tf.matmul(batch.queries, embeddings, transpose_b=True) + tf.gather(negatives.log_weights, batch.windows)
    if batch.hits is not None:
        is_hit = tf.range(tf.shape(scores)[1]) == batch.hits[:, tf.newaxis]
        scores = tf.where(is_hit, MIN_FLOAT, scores)
    if num_hardest is not None:
        hardest = tf.math.top_k(scores, tf.minimum(num_hardest, tf.shape(scores)[1]), sorted=True).values
        scores = tf.where(scores >= hardest[:, -1:], scores, MIN_FLOAT)
    own = tf.reduce_sum(batch.queries * batch.positives, axis=1)
    highest = tf.maximum(tf.reduce_max(scores, axis=1), own)
    exponentials = tf.exp(scores - highest[:, tf.newaxis])
    # The product with a column of ones sums a row.
    sums = tf.matmul(exponentials, tf.concat([embeddings, tf.ones_like(embeddings[:, :1])], axis=1))
    of_positive = tf.exp(own - highest)
    normalizer = sums[:, -1] + of_positive
    scale = batch.weights / normalizer
    pulls = (scale * of_positive - batch.weights)[:, tf.newaxis]
    return _Piece(
        loss=tf.reduce_sum(batch.weights * (tf.math.log(normalizer) + highest - own)),
        query_gradient=sums[:, :-1] * scale[:, tf.newaxis] + pulls * batch.positives,
        positive_gradient=pulls * batch.queries,
        negative_gradient=tf.matmul(exponentials, batch.queries * scale[:, tf.newaxis], transpose_a=True),
    )
