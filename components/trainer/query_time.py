"""The moment a query is asked, as a vector: what is in demand changes from week to week, whoever asks."""

from __future__ import annotations

import tensorflow as tf

from shortlist.config.model import QueryTime


class QueryTimeEmbedding(tf.keras.layers.Layer):
    """A vector for each moment between the first and the last train target.

    Vectors are learned at `knots` moments, evenly spaced, and interpolated linearly between them. Added to a query's
    embedding, it gives each candidate a score of its own at that moment: a popularity that follows the time. The future
    is not known: whatever is asked after the last train target is asked at it.
    """

    def __init__(self, config: QueryTime, embedding_dim: int) -> None:
        """Makes the table; zeros, so that an untrained one says nothing."""
        super().__init__()
        self._intervals = config.knots - 1
        self._table = self.add_weight(name="query_time", shape=(config.knots, embedding_dim), initializer="zeros")

    def call(self, times: tf.Tensor) -> tf.Tensor:
        """Returns [n, embedding_dim].

        Args:
          times: float32 [n] from 0, the first train target, to 1, the last one.
        """
        places = tf.clip_by_value(times, 0.0, 1.0) * float(self._intervals)
        below = tf.minimum(tf.floor(places), self._intervals - 1)
        share = (places - below)[:, tf.newaxis]
        row = tf.cast(below, tf.int32)
        return (1.0 - share) * tf.gather(self._table, row) + share * tf.gather(self._table, row + 1)
