"""How long ago something was: seconds as buckets of a logarithmic scale, and what is learned of them.

A history's places have a clock: the time of the item that comes next, and at the last place the time of the query. What
stands at a place is known at that place's clock and was met at the clock of the place before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

UNKNOWN = 0
"""A clock that says nothing, and the bucket of an interval without both its ends."""
_PER_OCTAVE = 2
_OCTAVES = 64  # of int64
NUM_BUCKETS = 1 + _PER_OCTAVE * _OCTAVES


def buckets(later: tf.Tensor, earlier: tf.Tensor) -> tf.Tensor:
    """Returns the bucket of each interval, int32: two for each doubling of 1 + seconds; 0 is `UNKNOWN`.

    Args:
      later: int64 times, 0 where unknown.
      earlier: Likewise, of a shape that broadcasts; what is later than `later` counts as at the same time.
    """
    seconds = tf.cast(tf.maximum(later - earlier, 0), tf.float32)
    octaves = tf.math.log1p(seconds) / math.log(2.0)
    found = 1 + tf.minimum(tf.cast(octaves * _PER_OCTAVE, tf.int32), NUM_BUCKETS - 2)
    return tf.where((later != UNKNOWN) & (earlier != UNKNOWN), found, UNKNOWN)


def met(clock: tf.Tensor) -> tf.Tensor:
    """Returns when what stands at each place was met, int64 as the clock, [batch, places]; nothing is at the first."""
    return tf.pad(clock[:, :-1], [[0, 0], [1, 0]], constant_values=UNKNOWN)


class GapEmbedding(tf.keras.layers.Layer):
    """A vector for how long it took until the query came back, added to each place of a sequence."""

    def __init__(self, embedding_dim: int) -> None:
        """Makes the table; zeros, so that an untrained one says nothing."""
        super().__init__()
        self._table = self.add_weight(name="gap_embedding", shape=(NUM_BUCKETS, embedding_dim), initializer="zeros")

    def call(self, clock: tf.Tensor) -> tf.Tensor:
        """Returns [batch, places, embedding_dim] of a clock [batch, places]."""
        return tf.gather(self._table, buckets(clock, met(clock)))


class IntervalBias(tf.keras.layers.Layer):
    """A learned attention score for how long ago something was, a head (Zhai et al. 2024, HSTU)."""

    def __init__(self, heads: int) -> None:
        """Makes the table."""
        super().__init__()
        self._table = self.add_weight(name="interval_bias", shape=(NUM_BUCKETS, heads), initializer="zeros")

    def call(self, ago: tf.Tensor) -> tf.Tensor:
        """Returns [batch, heads, places, places] of buckets [batch, places, places], see `ago`."""
        return tf.stack([_look_up(self._table[:, head], ago) for head in range(self._table.shape[1])], axis=1)


@tf.custom_gradient
def _look_up(scores: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """Returns scores [n] at rows of any shape. TensorFlow's own gradient sorts all places to add up those of a row."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        weights, size = tf.reshape(upstream, [-1]), scores.shape[0]
        return tf.math.bincount(tf.reshape(rows, [-1]), weights, minlength=size, maxlength=size), None

    return tf.gather(scores, rows), gradient


def ago(clock: tf.Tensor) -> tf.Tensor:
    """Returns the bucket of how long before each place's clock each place was met, int32 [batch, places, places].

    What lies above the diagonal means nothing.
    """
    return buckets(clock[:, :, tf.newaxis], met(clock)[:, tf.newaxis, :])
