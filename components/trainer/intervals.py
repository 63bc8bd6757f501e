"""How long ago something was: seconds as buckets of a logarithmic scale, and what is learned of them.

A history's places have a clock: the time of the item that comes next, and at the last place the time of the query. What
stands at a place is known at that place's clock and was met at the clock of the place before.
"""

from __future__ import annotations

import math

import tensorflow as tf

UNKNOWN = 0
"""A time that is not known, and the bucket of an interval without both its ends."""
_NOTHING = tf.int64.min
"""In place of a time: when what stands at the first place was met, which is no item."""
_NOTHING_BUCKET = 1
_PER_OCTAVE = 2
_OCTAVES = 64  # of int64
_FIRST_BUCKET = 2
NUM_BUCKETS = _FIRST_BUCKET + _PER_OCTAVE * _OCTAVES
# 1, 3, 7 ... seconds lie on a bucket's edge, where the last bit of a logarithm must not decide.
_EDGE = 1e-3


def buckets(later: tf.Tensor, earlier: tf.Tensor) -> tf.Tensor:
    """Returns the bucket of each interval, int32: two for each doubling of 1 + seconds; 0 is `UNKNOWN`.

    Args:
      later: int64 times, 0 where unknown.
      earlier: Likewise, of a shape that broadcasts; what is later than `later` counts as at the same time.
    """
    seconds = tf.cast(tf.maximum(later - earlier, 0), tf.float32)
    octaves = tf.math.log1p(seconds) / math.log(2.0)
    found = tf.minimum(_FIRST_BUCKET + tf.cast(octaves * _PER_OCTAVE + _EDGE, tf.int32), NUM_BUCKETS - 1)
    found = tf.where((later != UNKNOWN) & (earlier != UNKNOWN), found, UNKNOWN)
    return tf.where(earlier == _NOTHING, _NOTHING_BUCKET, found)


def item_times(clock: tf.Tensor) -> tf.Tensor:
    """Returns when what stands at each place was met, int64 as the clock, [batch, places]; nothing is at the first."""
    return tf.pad(clock[:, :-1], [[0, 0], [1, 0]], constant_values=_NOTHING)


def interval_buckets(clock: tf.Tensor) -> tf.Tensor:
    """Returns the bucket of how long before each place's clock each place was met, int32 [batch, places, places].

    What lies above the diagonal means nothing.
    """
    return buckets(clock[:, :, tf.newaxis], item_times(clock)[:, tf.newaxis, :])


class GapEmbedding(tf.keras.layers.Layer):
    """A vector for how long it took until the query came back, added to each place of a sequence."""

    def __init__(self, embedding_dim: int) -> None:
        """Makes the table; zeros, so that an untrained one says nothing."""
        super().__init__()
        self._table = self.add_weight(name="gap_embedding", shape=(NUM_BUCKETS, embedding_dim), initializer="zeros")

    def call(self, clock: tf.Tensor) -> tf.Tensor:
        """Returns [batch, places, embedding_dim] of a clock [batch, places]."""
        return tf.gather(_carried_on(self._table), buckets(clock, item_times(clock)))


class IntervalBias(tf.keras.layers.Layer):
    """A learned attention score for how long ago something was, a head (Zhai et al. 2024, HSTU)."""

    def __init__(self, heads: int) -> None:
        """Makes the table."""
        super().__init__()
        self._table = self.add_weight(name="interval_bias", shape=(NUM_BUCKETS, heads), initializer="zeros")

    def call(self, ago: tf.Tensor) -> tf.Tensor:
        """Returns [batch, heads, places, places] of buckets [batch, places, places], see `interval_buckets`."""
        table = _carried_on(self._table)
        # A head at a time: to look up columns is quicker than to turn the result around.
        return tf.stack([tf.gather(table[:, head], interval_buckets) for head in range(table.shape[1])], axis=1)


def _carried_on(table: tf.Tensor) -> tf.Tensor:
    """Returns a table in which intervals longer than any that was trained are as the longest that was.

    Rows are learned as steps from the row before, so that one without a step of its own is as that.
    """
    table = tf.convert_to_tensor(table)
    return tf.concat([table[:_FIRST_BUCKET], tf.cumsum(table[_FIRST_BUCKET:])], axis=0)
