"""Layers that several towers use."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import tensorflow as tf


class LayerNorm(tf.keras.layers.Layer):
    """Layer normalisation of the last axis; Keras' own layer is built for one rank and slower on a CPU."""

    def __init__(self, width: int) -> None:
        """Makes the scale and the offset."""
        super().__init__()
        self._scale = self.add_weight(name="scale", shape=(width,), initializer="ones")
        self._offset = self.add_weight(name="offset", shape=(width,), initializer="zeros")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Maps [..., width] to the same shape."""
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + 1e-6) * self._scale + self._offset


class HiddenLayers(tf.keras.layers.Layer):
    """ReLU layers of the given widths, then a linear layer to embedding_dim; the identity without widths."""

    def __init__(self, units: Sequence[int], embedding_dim: int) -> None:
        """Makes the weights; the input is [batch, embedding_dim]."""
        super().__init__()
        widths = [embedding_dim, *units]
        self._dense_layers = [dense(inputs, outputs, "relu") for inputs, outputs in itertools.pairwise(widths)]
        if units:
            self._dense_layers.append(dense(widths[-1], embedding_dim))

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Maps [batch, embedding_dim] to the same shape."""
        for layer in self._dense_layers:
            values = layer(values)
        return values


def dense(
    inputs: int, outputs: int, activation: str | None = None, kernel: str = "glorot_uniform"
) -> tf.keras.layers.Dense:
    """Returns a built layer for [..., inputs]; `kernel` is Keras' name of its initializer."""
    layer = tf.keras.layers.Dense(outputs, activation=activation, kernel_initializer=kernel)
    layer.build([None, inputs])
    return layer
