"""Cross-entropy over the whole catalogue, without ever holding [queries, catalogue] scores."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

PIECE_CELLS = 2**20
"""Scores held at a time: 4 MiB of float32, which stays in a cache. More is slower, and so is less."""


class NotNegatives(NamedTuple):
    """Candidates that do not count as negatives, given per window, not per query."""

    penalties: tf.Tensor
    """float32 [num_windows, corpus], added to a score: 0, or so low that it vanishes."""
    windows: tf.Tensor
    """int32 [num_queries], the row of each query in `penalties`."""


def corpus_cross_entropy(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    not_negatives: NotNegatives | None = None,
) -> tf.Tensor:
    """Returns the weighted sum of -log softmax(queries candidates^T) at each query's target.

    TensorFlow's own operation writes, and reads again, several tensors of [num_queries, corpus]. Here the scores of
    a few queries at a time become their share of the gradient at once: with e = exp(scores - max) and s = the sum of
    a row of e, the gradient of a query is weight (e candidates / s - its positive), and that of the candidates is the
    sum of e^T (weight query / s), less each query at its target. Both are exact, and neither needs the softmax itself.

    Args:
      queries: float32 [num_queries, embedding_dim].
      candidates: float32 [corpus, embedding_dim].
      targets: int32 [num_queries], the row of each query's positive, which counts even if `not_negatives` masks it.
      weights: float32 [num_queries]; constants to the gradient.
      not_negatives: Optional.
    """

    @tf.custom_gradient
    def total(queries: tf.Tensor, candidates: tf.Tensor) -> tuple[tf.Tensor, object]:
        loss, query_gradient, candidate_gradient = _by_pieces(queries, candidates, targets, weights, not_negatives)
        return loss, lambda upstream: (upstream * query_gradient, upstream * candidate_gradient)

    return total(queries, candidates)


class _Piece(NamedTuple):
    """Loss and gradients of some of the queries."""

    loss: tf.Tensor
    """The weighted sum."""
    query_gradient: tf.Tensor
    """[rows, embedding_dim], without the share of the target."""
    target_gradient: tf.Tensor
    """[rows]: the gradient of the target's score, beyond its part in the softmax over the catalogue."""
    candidate_gradient: tf.Tensor
    """[corpus, embedding_dim], without the share of the targets."""


def _by_pieces(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    not_negatives: NotNegatives | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the loss and its gradients by queries and candidates."""
    number, corpus = tf.shape(queries)[0], tf.shape(candidates)[0]
    rows = tf.maximum(PIECE_CELLS // corpus, 1)
    # Without queries there is one empty piece, because the result of an empty TensorArray has no shape.
    last = tf.maximum(number, 1)
    positives = tf.gather(candidates, targets)
    own = tf.reduce_sum(queries * positives, axis=1)
    # The product with a column of ones sums a row.
    with_ones = tf.concat([candidates, tf.ones_like(candidates[:, :1])], axis=1)

    def step(
        start: tf.Tensor,
        loss: tf.Tensor,
        by_query: tf.TensorArray,
        by_target: tf.TensorArray,
        by_candidate: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray, tf.Tensor]:
        some = slice(start, start + rows)
        penalties, own_penalties = _penalties(not_negatives, some, targets[some])
        found = _piece(queries[some], with_ones, own[some], weights[some], penalties, own_penalties)
        return (
            start + rows,
            loss + found.loss,
            by_query.write(start // rows, found.query_gradient),
            by_target.write(start // rows, found.target_gradient),
            by_candidate + found.candidate_gradient,
        )

    def column(*shape: int | None) -> tf.TensorArray:
        return tf.TensorArray(queries.dtype, -(-last // rows), infer_shape=False, element_shape=shape)

    _, loss, by_query, by_target, by_candidate = tf.while_loop(
        lambda start, *_: start < last,
        step,
        [0, tf.zeros([], queries.dtype), column(None, queries.shape[-1]), column(None), tf.zeros_like(candidates)],
        parallel_iterations=2,
    )
    pulls = by_target.concat()[:, tf.newaxis]
    return (
        loss,
        by_query.concat() + pulls * positives,
        by_candidate + tf.math.unsorted_segment_sum(pulls * queries, targets, corpus),
    )


def _penalties(not_negatives: NotNegatives | None, some: slice, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the penalties of some queries' scores, [rows, corpus], and of their targets' scores, [rows]."""
    if not_negatives is None:
        return tf.constant(0.0), tf.constant(0.0)
    windows = not_negatives.windows[some]
    own = tf.gather_nd(not_negatives.penalties, tf.stack([windows, targets], axis=1))
    return tf.gather(not_negatives.penalties, windows), own


def _piece(
    queries: tf.Tensor,
    with_ones: tf.Tensor,
    own: tf.Tensor,
    weights: tf.Tensor,
    penalties: tf.Tensor,
    own_penalties: tf.Tensor,
) -> _Piece:
    """Scores some queries against the catalogue, [corpus, embedding_dim + 1] with its column of ones."""
    candidates = with_ones[:, :-1]
    scores = tf.matmul(queries, candidates, transpose_b=True)
    if penalties.shape.rank:
        scores += penalties
    highest = tf.maximum(tf.reduce_max(scores, axis=1), own)
    exponentials = tf.exp(scores - highest[:, tf.newaxis])
    sums = tf.matmul(exponentials, with_ones)
    # A target that is masked as a negative still counts as the positive: its part of the sum is added again.
    missing = tf.exp(own - highest) - tf.exp(own + own_penalties - highest)
    normalizer = sums[:, -1] + missing
    scale = weights / normalizer
    return _Piece(
        loss=tf.reduce_sum(weights * (tf.math.log(normalizer) + highest - own)),
        query_gradient=sums[:, :-1] * scale[:, tf.newaxis],
        target_gradient=scale * missing - weights,
        candidate_gradient=tf.matmul(exponentials, queries * scale[:, tf.newaxis], transpose_a=True),
    )
