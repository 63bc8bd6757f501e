"""The two preprocessing functions, and the transformation of each feature type.

Both are ordinary tf.Transform preprocessing functions: the same graph runs in
Beam over the train split, in the trainer's input and in the served model.
Nothing here sees an eval or test row: Transform analyses the train split only,
and the catalogue holds no interactions.
"""

from __future__ import annotations

from typing import Any, Union

import tensorflow as tf
import tensorflow_transform as tft

from shortlist import keys
from shortlist.config.features import Feature, FeatureType

Column = Union[tf.Tensor, tf.SparseTensor]

# Vocabulary file of the candidate ids among the train targets, with their counts.
CANDIDATE_COUNTS = "candidate_counts"
# Query ids that get an embedding of their own: 5M of 64 floats are 1.3 GB.
_MAX_QUERY_IDS = 5_000_000


def queries_preprocessing_fn(inputs: dict[str, Column], custom_config: dict[str, Any]) -> dict[str, Column]:
    """Transforms windows: the query's id, features and times, and counts the train targets.

    Each train interaction is a target exactly once, so the counts of
    `target_ids` are the counts of the train interactions; the windows'
    histories overlap and would not do. Rows of weight 0 are no targets; a
    weight above 0 counts once, whatever it is.

    Args:
      inputs: Sparse window features, see `components/windows`.
      custom_config: `features`: feature name to `Feature` as a dict.
    """
    is_target = inputs[keys.TARGET_WEIGHTS].values > 0.0
    targets = tf.sparse.retain(inputs[keys.TARGET_IDS], is_target)
    tft.vocabulary(targets, store_frequency=True, vocab_filename=CANDIDATE_COUNTS)
    outputs = _transform_features(inputs, custom_config["features"])
    outputs[keys.TARGET_TIMES] = _share_of_span(inputs[keys.TARGET_TIMES], is_target)
    outputs[keys.QUERY_ID] = tft.compute_and_apply_vocabulary(
        _dense(inputs[keys.QUERY_ID], ""),
        top_k=_MAX_QUERY_IDS,
        num_oov_buckets=1,
        vocab_filename=keys.QUERY_ID,
    )
    return outputs


def candidates_preprocessing_fn(inputs: dict[str, Column], custom_config: dict[str, Any]) -> dict[str, Column]:
    """Transforms the catalogue: attribute vocabularies come from all of its rows.

    Args:
      inputs: Sparse flat candidate features.
      custom_config: `features`: feature name to `Feature` as a dict.
    """
    outputs = _transform_features(inputs, custom_config["features"])
    # Transform refuses a graph without outputs; a catalogue may well have ids only.
    outputs[keys.CANDIDATE_ID] = tf.identity(_dense(inputs[keys.CANDIDATE_ID], ""))
    return outputs


def _transform_features(inputs: dict[str, Column], features: dict[str, dict[str, Any]]) -> dict[str, Column]:
    return {
        name: _transform(name, inputs[name], Feature.model_validate(feature))
        for name, feature in sorted(features.items())
    }


def _transform(name: str, column: Column, feature: Feature) -> Column:
    if feature.type is FeatureType.TEXT:
        return _vocabulary_ids(name, _words(column), feature.max_vocabulary)
    if feature.type in (FeatureType.CATEGORY, FeatureType.MULTI_CATEGORY):
        return _vocabulary_ids(name, column, feature.max_vocabulary)
    return _z_score(column)


def _vocabulary_ids(name: str, values: tf.SparseTensor, max_vocabulary: int) -> tf.SparseTensor:
    """[batch, n] strings to ids; a value outside the vocabulary gets its size as id."""
    return tft.compute_and_apply_vocabulary(values, top_k=max_vocabulary, num_oov_buckets=1, vocab_filename=name)


def _words(text: tf.SparseTensor) -> tf.SparseTensor:
    """Lower-case runs of letters and digits of a [batch, 1] text column."""
    lowered = tf.strings.lower(_dense(text, ""), encoding="utf-8")[:, 0]
    spaced = tf.strings.strip(tf.strings.regex_replace(lowered, r"[^\pL\pN]+", " "))
    words = tf.strings.split(spaced, " ").to_sparse()
    # Splitting the empty string gives one empty word, which is no word.
    return tf.sparse.retain(words, tf.not_equal(words.values, ""))


def _z_score(column: tf.SparseTensor) -> tf.Tensor:
    """[batch, 1] z-scores; missing values become the mean, which is zero.

    Beam batches by the clock, so that sums come in another order each time: in 64 bits that is far below what the 32
    bits of the result can tell, and a run has the same deviation every time.
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
    """[batch, n] times to how much of the train targets' span has passed: 0 up to the first, 1 from the last one on."""
    targets = tf.sparse.retain(times, is_target)
    first, last = tft.min(targets), tft.max(targets)
    passed = tf.cast(times.values - first, tf.float64) / tf.cast(tf.maximum(last - first, 1), tf.float64)
    # Where all are at one time, that is the last one.
    shares = tf.where(times.values >= last, tf.ones_like(passed), tf.maximum(passed, 0.0))
    return tf.SparseTensor(times.indices, tf.cast(shares, tf.float32), times.dense_shape)


def _positive(deviation: tf.Tensor) -> tf.Tensor:
    """A constant column has deviation 0: then its z-score is 0, not NaN."""
    return tf.where(deviation > 0.0, deviation, tf.ones_like(deviation))


def _dense(column: tf.SparseTensor, default: str | float) -> tf.Tensor:
    """[batch, 1] first value of each row, `default` where there is none."""
    batch = column.dense_shape[0]
    first = tf.sparse.slice(column, [0, 0], tf.stack([batch, tf.constant(1, tf.int64)]))
    shaped = tf.SparseTensor(first.indices, first.values, tf.stack([batch, tf.constant(1, tf.int64)]))
    dense = tf.sparse.to_dense(shaped, default_value=default)
    return tf.ensure_shape(dense, [None, 1])
