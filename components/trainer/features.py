"""From transformed features to one vector: the layer that both towers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.noise import Noise, dropout
from components.transform.outputs import vocabulary_size
from shortlist.config.features import Feature, FeatureType

_NUMBERS = (FeatureType.NUMERIC, FeatureType.TIMESTAMP)
# A z-score beyond this is an outlier that would drown every other feature in the sum.
_MAX_Z_SCORE = 5.0


class FeatureSpec(NamedTuple):
    """One transformed feature as the towers see it."""

    name: str
    vocabulary_size: int | None
    """Values with an embedding of their own, plus one that all others share; None for a number."""


def feature_specs(features: Mapping[str, Feature], transform_output: tft.TFTransformOutput) -> tuple[FeatureSpec, ...]:
    """Returns the specs of a table's features, by name, so that the model does not depend on their order."""
    return tuple(
        FeatureSpec(name, None if feature.type in _NUMBERS else vocabulary_size(transform_output, name))
        for name, feature in sorted(features.items())
    )


def to_dense(column: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """Returns a transformed feature as int64 ids [batch, n] padded with -1, or floats [batch, 1]."""
    if isinstance(column, tf.SparseTensor):
        return tf.sparse.to_dense(column, default_value=-1)
    return column


class FeatureEncoder(tf.keras.layers.Layer):
    """The sum over the features: a mean of embeddings for ids, a scaled vector for a number.

    A sum of vectors of the output's width is a concatenation followed by a linear
    projection, without the concatenation.
    """

    def __init__(self, specs: Sequence[FeatureSpec], embedding_dim: int, dropout_rate: float = 0.0) -> None:
        """Makes the tables; `dropout_rate` drops elements of each feature's vector in training."""
        super().__init__()
        self._specs = tuple(specs)
        self._dropout_rate = dropout_rate
        self._tables = {
            spec.name: self.add_weight(
                name=f"{spec.name}_embedding",
                shape=(1 if spec.vocabulary_size is None else spec.vocabulary_size + 1, embedding_dim),
                initializer=tf.keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
            )
            for spec in self._specs
        }

    def call(self, features: Mapping[str, tf.Tensor], noise: Noise | None = None) -> tf.Tensor:
        """Returns [batch, embedding_dim].

        Args:
          features: By name; int64 [batch, n] padded with -1, or float32 [batch, 1].
          noise: Source of dropout; None when not training.
        """
        vectors = [dropout(self._encode(spec, features[spec.name]), self._dropout_rate, noise) for spec in self._specs]
        return tf.add_n(vectors)

    def _encode(self, spec: FeatureSpec, values: tf.Tensor) -> tf.Tensor:
        table = self._tables[spec.name]
        if spec.vocabulary_size is None:
            return tf.clip_by_value(values, -_MAX_Z_SCORE, _MAX_Z_SCORE) * table
        return mean_embedding(table, values)


def mean_embedding(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns the mean of each row's embeddings, zeros for a row without ids.

    Args:
      table: [vocabulary, embedding_dim].
      ids: [batch, n], padded with -1.
    """
    present = tf.cast(ids >= 0, table.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(tf.gather(table, tf.maximum(ids, 0)) * present, axis=1)
    return total / tf.maximum(tf.reduce_sum(present, axis=1), 1.0)
