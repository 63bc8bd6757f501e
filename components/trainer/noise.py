"""Randomness of training as a function of (seed, step), so that a resumed run draws the same numbers."""

from __future__ import annotations

import tensorflow as tf

_BYTE = 256


class Noise:
    """Source of seeds, a different one for each random draw of a training step."""

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        """Takes the run's seed and the number of finished steps."""
        self._stream = seed % 2_000_000 * 1_000
        self._step = tf.cast(step, tf.int32)
        self._draws = 0

    def key_of_part(self, number: int, parts: int) -> tf.Tensor:
        """Returns a substitute for the step in the noise of part `number` of a batch; negative, unlike any step."""
        return -1 - (self._step * parts + number)

    def draw(self) -> tf.Tensor:
        """Returns a seed [2] for the next draw; it depends on the draw's position in the step's graph."""
        self._draws += 1
        return tf.stack([self._step, tf.constant(self._stream + self._draws, tf.int32)])


def keep_mask(shape: tf.Tensor, rate: float, noise: Noise | None) -> tf.Tensor:
    """Returns a random bool tensor, false for a fraction `rate` of its elements; all true without noise."""
    if noise is None or rate == 0.0:
        return tf.ones(shape, tf.bool)
    return tf.random.stateless_uniform(shape, noise.draw()) >= rate


def dropout(values: tf.Tensor, rate: float, noise: Noise | None) -> tf.Tensor:
    """Returns `values` with a fraction of elements set to zero and the others scaled up; unchanged without noise.

    The fraction is `rate` rounded to a 256th, but at least one 256th. One random byte per element takes a quarter of
    the time of a random float.
    """
    if noise is None or rate == 0.0:
        return values
    dropped = max(round(rate * _BYTE), 1)
    shape, size = tf.shape(values), tf.size(values)
    words = tf.random.stateless_uniform([(size + 3) // 4], noise.draw(), None, None, tf.uint32)
    draws = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
    return values * (tf.cast(draws >= dropped, values.dtype) * (_BYTE / (_BYTE - dropped)))
