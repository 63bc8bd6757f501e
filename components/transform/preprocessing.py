"""The two preprocessing functions, and the transformation of each feature type.

Both are ordinary tf.Transform preprocessing functions: the same graph runs in Beam over the train split, in the
Trainer's input and in the served model. No analysis reads an eval or test row: Transform analyses the train split
only, and the catalogue contains no interactions.
"""

from __future__ import annotations

from typing import Any, Union

import tensorflow as tf
import tensorflow_transform as tft

from components.transform import words
from shortlist import keys
from shortlist.config.features import LISTS, Feature, FeatureType

Column = Union[tf.Tensor, tf.SparseTensor]

# Vocabulary file of the candidate ids among the train targets, with their counts.
CANDIDATE_COUNTS = "candidate_counts"
# Maximum number of query ids with an embedding of their own: 5M embeddings of 64 floats take 1.3 GB.
_MAX_QUERY_IDS = 5_000_000
# Two of 5M ids have an equal fingerprint with a probability of 3 in a million: n**2 / 2 / 2**62.
_FINGERPRINTS = 2**62


def queries_preprocessing_fn(inputs: dict[str, Column], custom_config: dict[str, Any]) -> dict[str, Column]:
    """Transforms windows: the query's id, features and times, and counts the train targets.

    Each train interaction is a target exactly once, so the counts of `target_ids` are those of the train interactions.
    Histories are not counted, because windows overlap. A row of weight 0 is not counted; each row with a greater weight
    counts once.

    Without `query_ids`, an id becomes a fingerprint, by which losses recognise windows of one query. One worker holds a
    vocabulary whole, and so does each served model.

    Args:
      inputs: Sparse window features, see `components/windows`.
      custom_config: `features` and, for those of the log's rows, `interaction_features`: feature name to `Feature` as
        a dict. `query_ids`, by default true, says whether the query ids get a vocabulary.
    """
    is_target = inputs[keys.TARGET_WEIGHTS].values > 0.0
    targets = tf.sparse.retain(inputs[keys.TARGET_IDS], is_target)
    tft.vocabulary(targets, store_frequency=True, vocab_filename=CANDIDATE_COUNTS)
    outputs = _transform_features(inputs, custom_config["features"])
    for name, feature in sorted(custom_config.get("interaction_features", {}).items()):
        # The values at the targets: each train interaction once, rows of weight 0 included. The reader transforms
        # those of histories by the same function.
        key = keys.CONTEXT_FEATURE + name
        outputs[key] = _transform(key, _without_missing(inputs[key]), Feature.model_validate(feature))
    outputs[keys.TARGET_TIMES] = _share_of_span(inputs[keys.TARGET_TIMES], is_target)
    ids = _dense(inputs[keys.QUERY_ID], "")
    if custom_config.get("query_ids", True):
        outputs[keys.QUERY_ID] = tft.compute_and_apply_vocabulary(
            ids, top_k=_MAX_QUERY_IDS, num_oov_buckets=1, vocab_filename=keys.QUERY_ID
        )
    else:
        outputs[keys.QUERY_ID] = tf.strings.to_hash_bucket_fast(ids, _FINGERPRINTS)
    return outputs


def candidates_preprocessing_fn(inputs: dict[str, Column], custom_config: dict[str, Any]) -> dict[str, Column]:
    """Transforms the catalogue: attribute vocabularies come from all of its rows.

    Args:
      inputs: Sparse flat candidate features.
      custom_config: `features`: feature name to `Feature` as a dict.
    """
    outputs = _transform_features(inputs, custom_config["features"])
    # Transform refuses a graph without outputs, and a catalogue may have ids only.
    outputs[keys.CANDIDATE_ID] = tf.identity(_dense(inputs[keys.CANDIDATE_ID], ""))
    return outputs


def _transform_features(inputs: dict[str, Column], features: dict[str, dict[str, Any]]) -> dict[str, Column]:
    return {
        name: _transform(name, inputs[name], Feature.model_validate(feature))
        for name, feature in sorted(features.items())
    }


def _transform(name: str, column: Column, feature: Feature) -> Column:
    if feature.type is FeatureType.VECTOR:
        return _vector(column, feature.dim or 0)
    if feature.type is FeatureType.TEXT:
        column = words.words(_dense(column, "")[:, 0])
    if feature.type in LISTS:
        column = _first(column, feature.max_tokens)
    if feature.type in (FeatureType.CATEGORY, *LISTS):
        return _vocabulary_ids(name, column, feature.max_vocabulary)
    return _z_score(column)


def _vector(column: tf.SparseTensor, dim: int) -> tf.Tensor:
    """Returns [batch, dim], the values as they are; zeros for a missing vector."""
    shape = tf.stack([column.dense_shape[0], tf.constant(dim, tf.int64)])
    dense = tf.sparse.to_dense(tf.SparseTensor(column.indices, column.values, shape))
    return tf.ensure_shape(dense, [None, dim])


def _first(column: tf.SparseTensor, number: int) -> tf.SparseTensor:
    """Returns the first values of each row of a column [batch, n]."""
    return tf.sparse.slice(column, [0, 0], tf.stack([column.dense_shape[0], tf.constant(number, tf.int64)]))


def _without_missing(column: tf.SparseTensor) -> tf.SparseTensor:
    """Returns a column without the placeholders of missing values: an empty string, NaN, and the time 0."""
    values = column.values
    if values.dtype.is_floating:
        return tf.sparse.retain(column, ~tf.math.is_nan(values))
    return tf.sparse.retain(column, values != ("" if values.dtype == tf.string else 0))


def _vocabulary_ids(name: str, values: tf.SparseTensor, max_vocabulary: int) -> tf.SparseTensor:
    """Maps [batch, n] strings to ids; a value outside of the vocabulary gets the vocabulary's size as id."""
    return tft.compute_and_apply_vocabulary(values, top_k=max_vocabulary, num_oov_buckets=1, vocab_filename=name)


def _z_score(column: tf.SparseTensor) -> tf.Tensor:
    """Returns [batch, 1] z-scores; missing values become the mean, which is zero.

    Beam sizes its batches by elapsed time, so the order of summation differs between runs. Mean and variance are
    therefore computed in 64 bits: the rounding errors vanish in the 32 bits of the result, and each run has the same
    result.
    """
    floats = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float32), column.dense_shape)
    dense = _dense(floats, float("nan"))
    missing = tf.math.is_nan(dense)
    exact = tf.SparseTensor(column.indices, tf.cast(column.values, tf.float64), column.dense_shape)
    mean = tf.cast(tft.mean(exact), tf.float32)
    deviation = tf.cast(tf.sqrt(tft.var(exact)), tf.float32)
    scaled = (dense - mean) / _positive(deviation)
    return tf.where(missing, tf.zeros_like(scaled), scaled)


def _share_of_span(times: tf.SparseTensor, is_target: tf.Tensor) -> tf.SparseTensor:
    """Maps [batch, n] times to the span of the train targets: 0 up to the first, 1 from the last on."""
    targets = tf.sparse.retain(times, is_target)
    first, last = tft.min(targets), tft.max(targets)
    passed = tf.cast(times.values - first, tf.float64) / tf.cast(tf.maximum(last - first, 1), tf.float64)
    # If all targets have the same time, it counts as the last one.
    shares = tf.where(times.values >= last, tf.ones_like(passed), tf.maximum(passed, 0.0))
    return tf.SparseTensor(times.indices, tf.cast(shares, tf.float32), times.dense_shape)


def _positive(deviation: tf.Tensor) -> tf.Tensor:
    """Returns the deviation, or 1 for a constant column, whose z-score then is 0 instead of NaN."""
    return tf.where(deviation > 0.0, deviation, tf.ones_like(deviation))


def _dense(column: tf.SparseTensor, default: str | float) -> tf.Tensor:
    """Returns [batch, 1], the first value of each row; `default` for an empty row."""
    batch = column.dense_shape[0]
    first = tf.sparse.slice(column, [0, 0], tf.stack([batch, tf.constant(1, tf.int64)]))
    shaped = tf.SparseTensor(first.indices, first.values, tf.stack([batch, tf.constant(1, tf.int64)]))
    dense = tf.sparse.to_dense(shaped, default_value=default)
    return tf.ensure_shape(dense, [None, 1])
