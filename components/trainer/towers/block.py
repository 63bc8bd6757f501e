"""A block of causal self-attention."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.intervals import IntervalBias
from components.trainer.noise import Noise, dropout
from components.trainer.towers.layers import LayerNorm, dense
from shortlist.config.model import HistoryTowerSection


class CausalBlock(tf.keras.layers.Layer):
    """Pre-norm causal self-attention and a feed-forward layer, each with a residual."""

    def __init__(self, config: HistoryTowerSection, width: int, max_length: int) -> None:
        """Makes the weights of one block; `max_length` is the length of the longest sequence."""
        super().__init__()
        self._dropout_rate = config.dropout
        self._heads = config.heads
        self._width = width
        self._positions = PositionBias(config.heads, max_length) if config.position_bias else None
        self._intervals = IntervalBias(config.heads) if config.time_intervals else None
        self._attention_norm = LayerNorm(width)
        self._feed_forward_norm = LayerNorm(width)
        self._query_key_value = dense(width, 3 * width)
        # At first, a block is the identity, without which depth does not train (decision 42).
        self._merge = dense(width, width, kernel="zeros")
        self._expand = dense(width, config.feed_forward_factor * width, "relu")
        self._contract = dense(config.feed_forward_factor * width, width, kernel="zeros")

    @property
    def intervals(self) -> IntervalBias | None:
        """The layer whose scores are `call`'s bias; None without `time_intervals`."""
        return self._intervals

    def call(
        self,
        hidden: tf.Tensor,
        bias: tf.Tensor | None = None,
        outputs: tf.Tensor | None = None,
        added: tf.Tensor | None = None,
        noise: Noise | None = None,
    ) -> tf.Tensor:
        """Maps [batch, length, width] to the same shape; position p depends on positions up to p.

        Args:
          hidden: [batch, length, width].
          bias: Optional [batch, heads, length, length], added to the attention's scores.
          outputs: Optional [n] indices into [batch * length]. With them the result is [n, width], at these positions.
          added: Optional [n, width], added to the outputs before the feed-forward layer, which combines both.
          noise: Source of dropout; None outside of training.
        """
        mixed = self._attend(self._attention_norm(hidden), bias, noise)
        if outputs is not None:
            mixed, hidden = _take(mixed, outputs), _take(hidden, outputs)
        hidden += dropout(self._merge(mixed), self._dropout_rate, noise)
        if added is not None:
            hidden += added
        expanded = dropout(self._expand(self._feed_forward_norm(hidden)), self._dropout_rate, noise)
        return hidden + dropout(self._contract(expanded), self._dropout_rate, noise)

    def _attend(self, hidden: tf.Tensor, bias: tf.Tensor | None, noise: Noise | None) -> tf.Tensor:
        # One matrix product for all three projections of all heads.
        query, key, value = (
            _split_heads(part, self._heads) for part in tf.split(self._query_key_value(hidden), 3, axis=-1)
        )
        length = tf.shape(hidden)[1]
        scores = tf.matmul(query, key, transpose_b=True) * (self._width // self._heads) ** -0.5
        if self._positions is not None:
            scores += self._positions(length)
        if bias is not None:
            scores += bias
        allowed = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
        weights = tf.nn.softmax(tf.where(allowed, scores, scores.dtype.min))
        return _merge_heads(tf.matmul(dropout(weights, self._dropout_rate, noise), value))


def _split_heads(values: tf.Tensor, heads: int) -> tf.Tensor:
    """Maps [batch, length, heads * depth] to [batch, heads, length, depth]."""
    batch, length, width = tf.shape(values)[0], tf.shape(values)[1], values.shape[-1]
    return tf.transpose(tf.reshape(values, [batch, length, heads, width // heads]), [0, 2, 1, 3])


def _merge_heads(values: tf.Tensor) -> tf.Tensor:
    """Maps [batch, heads, length, depth] to [batch, length, heads * depth]."""
    batch, length, width = tf.shape(values)[0], tf.shape(values)[2], values.shape[1] * values.shape[3]
    return tf.reshape(tf.transpose(values, [0, 2, 1, 3]), [batch, length, width])


def _take(values: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Returns [n, width]: rows `indices` [n] of [batch, length, width], reshaped to [batch * length, width]."""
    return tf.gather(tf.reshape(values, [-1, values.shape[-1]]), indices)


class PositionBias(tf.keras.layers.Layer):
    """Relative position bias: a learned attention score per head and distance (Raffel et al. 2020, without buckets)."""

    def __init__(self, heads: int, max_length: int) -> None:
        """Makes the table; its zeros have no effect before training."""
        super().__init__()
        self._table = self.add_weight(name="distance_bias", shape=(heads, max_length), initializer="zeros")

    def call(self, length: tf.Tensor) -> tf.Tensor:
        """Returns [heads, length, length]; entries above the diagonal have no meaning."""
        positions = tf.range(length)
        return tf.gather(self._table, tf.maximum(positions[:, tf.newaxis] - positions, 0), axis=1)
