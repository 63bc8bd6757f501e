"""Encoders of a tower's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.trainer.features import FeatureEncoder, FeatureSpec
from components.trainer.noise import Noise, keep_mask

_FEATURE_DROPOUT = 0.1
"""Fraction of train windows, redrawn each step, in which a feature of the log is unknown: requests may lack it, too."""


def make_encoder(
    specs: Sequence[FeatureSpec],
    embedding_dim: int,
    dropout_rate: float,
    met: Mapping[str, np.ndarray] | None = None,
) -> FeatureEncoder | None:
    """Returns the encoder of a tower's features; None for a table without features."""
    return FeatureEncoder(specs, embedding_dim, dropout_rate, met) if specs else None


def tables_of(ids: tf.Variable | None, *encoders: FeatureEncoder | None) -> list[tf.Variable]:
    """Returns the embedding tables of a tower: of its ids, and of its features' vocabularies."""
    of_features = [table for encoder in encoders if encoder is not None for table in encoder.tables]
    return [*([] if ids is None else [ids]), *of_features]


def embed_values(encoder: FeatureEncoder, values: Mapping[str, tf.Tensor] | None, noise: Noise | None) -> tf.Tensor:
    """Returns [batch, ..., embedding_dim]: the sum of the features' vectors at each place.

    Args:
      encoder: The features' encoder.
      values: Transformed features by name, [batch, ...] each, with one value per place.
      noise: Source of dropout; None outside of training. A dropped feature is dropped at all places of a row.
    """
    if values is None:
        raise ValueError("expected values of the features that the tower reads, got None")
    flat, shape = {}, tf.constant([], tf.int32)
    for name, column in values.items():
        shape = tf.shape(column)
        kept = keep_mask(tf.concat([shape[:1], tf.ones_like(shape[1:])], axis=0), _FEATURE_DROPOUT, noise)
        unknown = tf.constant(0 if column.dtype.is_floating else -1, column.dtype)
        flat[name] = tf.reshape(tf.where(kept, column, unknown), [-1, 1])
    vectors = encoder(flat, noise=noise)
    return tf.reshape(vectors, tf.concat([shape, tf.shape(vectors)[1:]], axis=0))
