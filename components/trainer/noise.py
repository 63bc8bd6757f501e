"""Randomness in training: a function of (seed, step), so that a resumed run draws what an unbroken one would."""

from __future__ import annotations

import tensorflow as tf

_BYTE = 256


class Noise:
    """Hands a fresh seed to each random draw of one training step."""

    def __init__(self, seed: int, step: tf.Tensor) -> None:
        """Starts at the run's seed and the number of steps done."""
        self._stream = seed % 2_000_000 * 1_000
        self._step = tf.cast(step, tf.int32)
        self._draws = 0

    def key_of_part(self, number: int, parts: int) -> tf.Tensor:
        """Returns what stands in for the step in the noise of one of a batch's parts; no step has it itself."""
        return -1 - (self._step * parts + number)

    def draw(self) -> tf.Tensor:
        """Returns a seed [2] for the next draw; draws are told apart by their order in the step's graph."""
        self._draws += 1
        return tf.stack([self._step, tf.constant(self._stream + self._draws, tf.int32)])


def keep_mask(shape: tf.Tensor, rate: float, noise: Noise | None) -> tf.Tensor:
    """Returns a bool tensor that is false for a share of its elements; true for all of them without noise."""
    if noise is None or rate == 0.0:
        return tf.ones(shape, tf.bool)
    return tf.random.stateless_uniform(shape, noise.draw()) >= rate


def dropout(values: tf.Tensor, rate: float, noise: Noise | None) -> tf.Tensor:
    """Returns `values` with a share of elements set to zero and the others scaled up; all of them without noise.

    The share is `rate` to the next 256th above zero: one random byte an element takes a quarter of the time of a float.
    """
    if noise is None or rate == 0.0:
        return values
    dropped = max(round(rate * _BYTE), 1)
    shape, size = tf.shape(values), tf.size(values)
    words = tf.random.stateless_uniform([(size + 3) // 4], noise.draw(), None, None, tf.uint32)
    draws = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size], shape)
    return values * (tf.cast(draws >= dropped, values.dtype) * (_BYTE / (_BYTE - dropped)))
