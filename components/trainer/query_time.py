"""Embedding of a query's time, for demand that changes from week to week regardless of the user."""

from __future__ import annotations

import tensorflow as tf

from shortlist.config.model import QueryTime


class QueryTimeEmbedding(tf.keras.layers.Layer):
    """A vector for each moment between the first and the last train target.

    Vectors are learned at `knots` evenly spaced moments and interpolated linearly between them. The vector is added to
    the query's embedding, which adds to each candidate's score a popularity that changes over time. A time after the
    last train target counts as the time of that target, since the future is unknown.
    """

    def __init__(self, config: QueryTime, embedding_dim: int) -> None:
        """Makes the table; its zeros have no effect before training."""
        super().__init__()
        self._intervals = config.knots - 1
        self._table = self.add_weight(name="query_time", shape=(config.knots, embedding_dim), initializer="zeros")

    @property
    def table(self) -> tf.Variable:
        """[knots, embedding_dim], the vectors from the first train target to the last."""
        return self._table

    def call(self, times: tf.Tensor) -> tf.Tensor:
        """Returns [n, embedding_dim].

        Args:
          times: float32 [n], from 0 (the first train target) to 1 (the last).
        """
        positions = tf.clip_by_value(times, 0.0, 1.0) * float(self._intervals)
        # At the last moment, `below` is the knot before the last, so that `row + 1` exists.
        below = tf.minimum(tf.floor(positions), self._intervals - 1)
        share = (positions - below)[:, tf.newaxis]
        row = tf.cast(below, tf.int32)
        return (1.0 - share) * tf.gather(self._table, row) + share * tf.gather(self._table, row + 1)


def add_time(queries: tf.Tensor, query_time: QueryTimeEmbedding | None, times: tf.Tensor) -> tf.Tensor:
    """Returns queries [n, embedding_dim] plus the embedding of their times; without one, the queries themselves."""
    if query_time is None:
        return queries
    return queries + query_time(times)
