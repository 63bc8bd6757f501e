"""Feature encoder: the layer of both towers that turns transformed features into one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.noise import Noise, dropout
from components.transform.outputs import vocabulary_size
from shortlist.config.features import Feature, FeatureType

_NUMBERS = (FeatureType.NUMERIC, FeatureType.TIMESTAMP, FeatureType.VECTOR)
# A larger z-score is an outlier; in the sum, it would outweigh every other feature.
_MAX_Z_SCORE = 5.0


class FeatureSpec(NamedTuple):
    """Name and vocabulary of one transformed feature."""

    name: str
    vocabulary_size: int | None
    """Number of values with an embedding of their own; all others share one more. None for numbers."""
    vector_dim: int | None = None
    """Number of values of a vector; None for other features."""


def feature_specs(
    features: Mapping[str, Feature], transform_output: tft.TFTransformOutput, prefix: str = ""
) -> tuple[FeatureSpec, ...]:
    """Returns the specs of a table's features, sorted by name: the model does not depend on the config's order.

    `prefix` precedes the names in the transform graph.
    """
    return tuple(
        FeatureSpec(
            name,
            None if feature.type in _NUMBERS else vocabulary_size(transform_output, prefix + name),
            feature.dim,
        )
        for name, feature in sorted(features.items())
    )


def to_dense(column: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
    """Returns a transformed feature as int64 ids [batch, n] padded with -1, or as floats, [batch, 1] or a vector."""
    if isinstance(column, tf.SparseTensor):
        return tf.sparse.to_dense(column, default_value=-1)
    return column


class FeatureEncoder(tf.keras.layers.Layer):
    """Sum of one vector per feature: the mean embedding of its ids, a learned vector times its number, or a projection.

    Each vector has the output's width. The sum therefore equals a concatenation followed by a linear projection.
    """

    def __init__(self, specs: Sequence[FeatureSpec], embedding_dim: int, dropout_rate: float = 0.0) -> None:
        """Makes the embedding tables; `dropout_rate` applies to each feature's vector in training."""
        super().__init__()
        self._specs = tuple(specs)
        self._dropout_rate = dropout_rate
        self._tables = {
            spec.name: self.add_weight(
                name=f"{spec.name}_embedding",
                # One more row for the values outside of the vocabulary; a number has a single row. A vector has a
                # row per value, a projection without bias: a missing vector is zero.
                shape=(spec.vector_dim or (spec.vocabulary_size or 0) + 1, embedding_dim),
                initializer=tf.keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
            )
            for spec in self._specs
        }

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of vocabularies."""
        return [self._tables[spec.name] for spec in self._specs if spec.vocabulary_size is not None]

    def call(self, features: Mapping[str, tf.Tensor], noise: Noise | None = None) -> tf.Tensor:
        """Returns [batch, embedding_dim].

        Args:
          features: Transformed features by name: int64 [batch, n] padded with -1, or float32 [batch, 1] or
            [batch, vector_dim].
          noise: Source of dropout; None outside of training.
        """
        vectors = [dropout(self._encode(spec, features[spec.name]), self._dropout_rate, noise) for spec in self._specs]
        return tf.add_n(vectors)

    def _encode(self, spec: FeatureSpec, values: tf.Tensor) -> tf.Tensor:
        table = self._tables[spec.name]
        if spec.vector_dim is not None:
            return tf.matmul(values, table)
        if spec.vocabulary_size is None:
            return tf.clip_by_value(values, -_MAX_Z_SCORE, _MAX_Z_SCORE) * table
        return mean_embedding(table, values)


def mean_embedding(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns [batch, embedding_dim], the mean of each row's embeddings; zeros for a row without ids.

    Args:
      table: [vocabulary, embedding_dim].
      ids: [batch, n], padded with -1.
    """
    present = tf.cast(ids >= 0, table.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(tf.gather(table, tf.maximum(ids, 0)) * present, axis=1)
    return total / tf.maximum(tf.reduce_sum(present, axis=1), 1.0)
