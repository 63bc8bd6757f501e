"""Inputs of the query tower in the served graph: windows as tf.Examples, and lists that may be empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from shortlist import keys


def parse_examples(serialized: tf.Tensor, query_specs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """Returns the query tower's inputs and `seen_ids`, parsed from tf.Examples of windows.

    Args:
      serialized: [batch] tf.Examples. All features are optional; without `query_time`, `target_times` is used.
      query_specs: The tower's inputs.

    Returns:
      Input name to tensor, in the shape of its spec; `seen_ids` is [batch, num_seen].
    """
    # All features are parsed as lists, because parsing as a scalar refuses a feature without a value.
    features = {name: tf.io.VarLenFeature(spec.dtype) for name, spec in query_specs.items()}
    features[keys.SEEN_IDS] = tf.io.VarLenFeature(tf.string)
    features[keys.TARGET_TIMES] = tf.io.VarLenFeature(tf.int64)
    parsed = tf.io.parse_example(serialized, features)
    of_items = [name for name, spec in query_specs.items() if _is_of_items(name, spec)]
    history_width = tf.reduce_max(tf.stack([parsed[name].dense_shape[1] for name in of_items]))
    dense = {keys.SEEN_IDS: tf.sparse.to_dense(parsed[keys.SEEN_IDS])}
    for name, spec in query_specs.items():
        width = parsed[name].dense_shape[1]
        if spec.shape.rank == 2 and spec.shape[1] is not None:
            width = tf.constant(spec.shape[1], tf.int64)
        if name in of_items:
            # Items, times and features pair by position, so that all lists get the same width.
            width = history_width
        values = _to_dense(parsed[name], width)
        dense[name] = values if spec.shape.rank == 2 else values[:, 0]
    target_time = _to_dense(parsed[keys.TARGET_TIMES], parsed[keys.TARGET_TIMES].dense_shape[1])[:, 0]
    dense[keys.QUERY_TIME] = tf.where(dense[keys.QUERY_TIME] == 0, target_time, dense[keys.QUERY_TIME])
    return dense


def _is_of_items(name: str, spec: tf.TensorSpec) -> bool:
    """Returns whether an input has one value per item of the history."""
    return name.startswith(keys.HISTORY_FEATURE) and spec.shape.rank == 2


def _to_dense(values: tf.SparseTensor, width: tf.Tensor) -> tf.Tensor:
    """Returns [batch, max(width, 1)], padded with the value for "missing": `""`, NaN or 0."""
    fill = _missing(values)
    shape = tf.stack([values.dense_shape[0], tf.maximum(width, 1)])
    return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default_value=fill)


def with_one_column(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the inputs with at least one column per list, since a tower cannot reduce over zero columns."""

    def widen(value: tf.Tensor) -> tf.Tensor:
        # A vector's number of columns is fixed.
        if value.shape.rank != 2 or value.shape[1] is not None:
            return value
        return tf.pad(value, [[0, 0], [0, tf.cast(tf.shape(value)[1] == 0, tf.int32)]], constant_values=_missing(value))

    return {name: widen(value) for name, value in inputs.items()}


def _missing(value: tf.Tensor | tf.SparseTensor) -> Any:
    if value.dtype.is_floating:
        return float("nan")
    return "" if value.dtype == tf.string else 0
