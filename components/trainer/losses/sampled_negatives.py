"""Negatives that a batch shares: their draw, how often each is expected, and their weights per window."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from components.trainer.losses.base import MIN_FLOAT
from components.trainer.noise import Noise

_LEAST = 1e-30


class Drawn(NamedTuple):
    """The distinct candidates among a batch's draws."""

    rows: tf.Tensor
    """int32 [num_negatives], rows of the corpus."""
    counts: tf.Tensor
    """float32 [num_negatives], how often each was drawn."""


def draw_spread(number: tf.Tensor | int, size: tf.Tensor | int, noise: Noise) -> tf.Tensor:
    """Returns distinct integers below `size`, int32 [min(number, size)], each with probability min(number / size, 1).

    The range is turned by a random offset and cut into `number` strata, and one integer is drawn from each. Neither a
    permutation of the range is needed nor a search for duplicates.

    Args:
      number: How many to draw.
      size: End of the range.
      noise: Source of the draws.
    """
    size = tf.cast(size, tf.int64)
    number = tf.minimum(tf.cast(number, tf.int64), size)
    bounds = tf.range(number + 1) * size // tf.maximum(number, 1)
    widths = bounds[1:] - bounds[:-1]
    shares = tf.random.stateless_uniform([number], noise.draw(), dtype=tf.float64)
    places = bounds[:-1] + tf.cast(shares * tf.cast(widths, tf.float64), tf.int64)
    offset = tf.random.stateless_uniform([], noise.draw(), maxval=tf.maximum(size, 1), dtype=tf.int64)
    return tf.cast((places + offset) % tf.maximum(size, 1), tf.int32)


def distinct(draws: tf.Tensor) -> Drawn:
    """Returns the distinct candidates among draws [n]."""
    rows, _, counts = tf.unique_with_counts(draws)
    return Drawn(rows, tf.cast(counts, tf.float32))


def draws_from_others(queries: tf.Tensor, counts: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Returns float32 [num_windows], how many of `number` draws are targets of other queries on average.

    Args:
      queries: [num_windows], the query of each window.
      counts: float32 [num_windows], targets of each window; each of them is drawn with the same probability.
      number: int32 [].
    """
    is_same = tf.cast(queries[:, tf.newaxis] == queries, tf.float32)
    total = tf.reduce_sum(counts)
    others = total - tf.linalg.matvec(is_same, counts)
    return tf.cast(number, tf.float32) * tf.math.divide_no_nan(others, total)


def expected_counts(frequencies: tf.Tensor, in_batch: tf.Tensor, uniform: float) -> tf.Tensor:
    """Returns float32 [num_windows, num_negatives], how often a batch's draws are each candidate on average.

    A target is candidate c with the frequency q(c). With m draws from targets, and c among the uniform draws with
    probability u, c is expected m q(c) + u times.

    Args:
      frequencies: float32 [num_negatives], each candidate's share of the train targets.
      in_batch: [num_windows], m for each window's targets.
      uniform: u.
    """
    return tf.cast(in_batch, tf.float32)[:, tf.newaxis] * frequencies + uniform


def columns_of(negatives: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns the places of `rows` among distinct negatives [num_negatives], int32 of the same shape; -1 for others."""
    number = tf.size(negatives)
    # The first places of tf.unique are those of the negatives, which are distinct.
    _, places = tf.unique(tf.concat([negatives, tf.reshape(rows, [-1])], axis=0))
    places = places[number:]
    return tf.reshape(tf.where(places < number, places, -1), tf.shape(rows))


def mask_columns(columns: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Returns bool [num_windows, number], true at `columns` [num_windows, n], in which -1 is no column."""
    present = tf.where(columns >= 0)
    at = tf.stack([present[:, 0], tf.cast(tf.gather_nd(columns, present), tf.int64)], axis=1)
    shape = tf.cast(tf.stack([tf.shape(columns)[0], number]), tf.int64)
    return tf.tensor_scatter_nd_update(tf.zeros(shape, tf.bool), at, tf.ones(tf.shape(at)[:1], tf.bool))


def log_weights(
    counts: tf.Tensor, expected: tf.Tensor | None, masked: tf.Tensor | None, num_windows: tf.Tensor
) -> tf.Tensor:
    """Returns float32 [num_windows, num_negatives], log(count / expected count), and `MIN_FLOAT` where masked.

    So weighted, the sum of exp(score) over the negatives is an unbiased estimate of that over the catalogue.

    Args:
      counts: float32 [num_negatives].
      expected: float32 [num_windows, num_negatives]; 1 each by default, so that no draw is corrected.
      masked: Optional bool [num_windows, num_negatives].
      num_windows: int32 [].
    """
    weights = tf.tile(tf.math.log(counts)[tf.newaxis], [num_windows, 1])
    if expected is not None:
        # Only masked candidates can have an expected count of 0.
        weights -= tf.math.log(tf.maximum(expected, _LEAST))
    if masked is not None:
        weights = tf.where(masked, MIN_FLOAT, weights)
    return weights
