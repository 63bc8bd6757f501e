"""Feature encoder: the layer of both towers that turns transformed features into one vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
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


def met_values(
    specs: Sequence[FeatureSpec], features: Mapping[str, np.ndarray], counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns, per feature with a vocabulary, whether train met each value, bool [vocabulary_size + 1].

    Args:
      specs: The features.
      features: Transformed features by name, [corpus, n] each, ids padded with -1.
      counts: [corpus] number of train targets of each candidate.
    """
    found = {}
    for spec in specs:
        if spec.vocabulary_size is not None:
            ids = features[spec.name][counts > 0]
            met = np.zeros(spec.vocabulary_size + 1, bool)
            met[ids[ids >= 0]] = True
            found[spec.name] = met
    return found


class FeatureEncoder(tf.keras.layers.Layer):
    """Sum of one vector per feature: the mean embedding of its ids, a learned vector times its number, or a projection.

    Each vector has the output's width. The sum therefore equals a concatenation followed by a linear projection.

    A value that train never met counts as a missing one (decision 37). Its row stays zero, so that a training which
    begins from this one (decision 38) meets the value as a new one.
    """

    def __init__(
        self,
        specs: Sequence[FeatureSpec],
        embedding_dim: int,
        dropout_rate: float = 0.0,
        met: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Makes the embedding tables.

        Args:
          specs: The features.
          embedding_dim: Width of the output.
          dropout_rate: Dropout of each feature's vector in training.
          met: See `met_values`. By default, train met all values of the vocabularies, which come from it.
        """
        super().__init__()
        self._specs = tuple(specs)
        self._dropout_rate = dropout_rate
        self._met = met
        self._tables = {
            spec.name: self.add_weight(
                name=f"{spec.name}_embedding",
                # One more row for the values outside of the vocabulary; a number has a single row. A vector has a
                # row per value, a projection without bias: a missing vector is zero.
                shape=(spec.vector_dim or (spec.vocabulary_size or 0) + 1, embedding_dim),
                initializer=_initializer(spec, embedding_dim, None if met is None else met.get(spec.name)),
            )
            for spec in self._specs
        }

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of vocabularies."""
        return [self._tables[spec.name] for spec in self._specs if spec.vocabulary_size is not None]

    @property
    def tables_by_feature(self) -> dict[str, tf.Variable]:
        """The weights of each feature."""
        return dict(self._tables)

    def call(self, features: Mapping[str, tf.Tensor], noise: Noise | None = None) -> tf.Tensor:
        """Returns [batch, embedding_dim].

        Args:
          features: Transformed features by name: int64 [batch, n] padded with -1, or float32 [batch, 1] or
            [batch, vector_dim].
          noise: Source of dropout; None outside of training.
        """
        vectors = [dropout(self._encode(spec, features[spec.name]), self._dropout_rate, noise) for spec in self._specs]
        return tf.add_n(vectors)

    def without_unmet(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns features for `call`, in which the ids of values that train never met are -1."""
        if self._met is None:
            return dict(features)
        known = {}
        for spec in self._specs:
            ids = features[spec.name]
            if spec.vocabulary_size is not None:
                is_met = (ids >= 0) & tf.gather(tf.constant(self._met[spec.name]), tf.maximum(ids, 0))
                ids = tf.where(is_met, ids, tf.constant(-1, ids.dtype))
            known[spec.name] = ids
        return known

    def _encode(self, spec: FeatureSpec, values: tf.Tensor) -> tf.Tensor:
        table = self._tables[spec.name]
        if spec.vector_dim is not None:
            return tf.matmul(values, table)
        if spec.vocabulary_size is None:
            return tf.clip_by_value(values, -_MAX_Z_SCORE, _MAX_Z_SCORE) * table
        return mean_embedding(table, values)


def _initializer(spec: FeatureSpec, embedding_dim: int, met: np.ndarray | None) -> Callable[..., tf.Tensor]:
    """Returns the initializer of a feature's table.

    Whether a value outside of the vocabulary ever comes in train is not known. Its row is zero until one does: a
    gradient of zero moves it in no optimizer, and weight decay keeps it.

    Args:
      spec: The feature.
      embedding_dim: Width of the table.
      met: Optional bool [rows], whether train met each value; the rows of others are zero, too.
    """
    normal = tf.keras.initializers.RandomNormal(stddev=embedding_dim**-0.5)
    if spec.vocabulary_size is None:
        return normal

    def initial(shape: Sequence[int], dtype: tf.DType = tf.float32, **options: Any) -> tf.Tensor:
        drawn = normal(shape, dtype, **options)
        if met is not None:
            drawn = tf.where(met[:, np.newaxis], drawn, tf.zeros_like(drawn))
        return tf.concat([drawn[:-1], tf.zeros_like(drawn[-1:])], axis=0)

    return initial


def mean_embedding(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns [batch, embedding_dim], the mean of each row's embeddings; zeros for a row without ids.

    Args:
      table: [vocabulary, embedding_dim].
      ids: [batch, n], padded with -1.
    """
    present = tf.cast(ids >= 0, table.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(tf.gather(table, tf.maximum(ids, 0)) * present, axis=1)
    return total / tf.maximum(tf.reduce_sum(present, axis=1), 1.0)
