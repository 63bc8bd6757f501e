"""Raw values of features in tensors: types, placeholders of missing values, and the sparse form that parsing gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from shortlist.config.features import Feature, FeatureType

_DTYPES = {FeatureType.NUMERIC: tf.float32, FeatureType.TIMESTAMP: tf.int64, FeatureType.VECTOR: tf.float32}
_LISTS = (FeatureType.MULTI_CATEGORY, FeatureType.VECTOR)


def dtype_of(kind: FeatureType) -> tf.DType:
    """Returns the type of a feature's raw values."""
    return _DTYPES.get(kind, tf.string)


def placeholder(kind: FeatureType) -> Any:
    """Returns the value that stands for a missing one: "" for strings, NaN for numbers, 0 for times."""
    return float("nan") if dtype_of(kind).is_floating else {FeatureType.TIMESTAMP: 0}.get(kind, "")


def feature_types(features: Mapping[str, Feature]) -> dict[str, FeatureType]:
    """Returns the type of each feature."""
    return {name: feature.type for name, feature in features.items()}


def sparse_features(inputs: Mapping[str, tf.Tensor], types: Mapping[str, FeatureType]) -> dict[str, tf.SparseTensor]:
    """Returns features as parsing does: [batch, n] without entries for missing values."""
    return {name: sparse(inputs[name], kind) for name, kind in types.items()}


def sparse(values: tf.Tensor, kind: FeatureType) -> tf.SparseTensor:
    """Returns the values of one feature as parsing does: [batch, n] without entries for missing values.

    Args:
      values: [batch]; for multi_category and vector [batch, n].
      kind: The feature's type.
    """
    columns = values
    if kind not in _LISTS:
        columns = values[:, tf.newaxis]
    if dtype_of(kind).is_floating:
        present = ~tf.math.is_nan(columns)
    elif kind is FeatureType.TIMESTAMP:
        present = columns != 0
    else:
        present = columns != ""
    indices = tf.where(present)
    return tf.SparseTensor(indices, tf.gather_nd(columns, indices), tf.shape(columns, out_type=tf.int64))


def missing(kind: FeatureType, number: int) -> tf.Tensor:
    """Returns missing values: [number] or, for lists, [number, 1]."""
    shape = [number, 1] if kind in _LISTS else [number]
    return tf.fill(shape, tf.constant(placeholder(kind), dtype_of(kind)))
