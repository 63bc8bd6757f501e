"""Inputs of the exported signatures: specs, values for "missing", and conversion to sparse features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from components.trainer.dataset import WindowReader
from components.trainer.intervals import UNKNOWN
from components.trainer.model import embed_histories
from components.trainer.settings import Settings
from components.trainer.towers import FeaturesTower, HistoryTower
from shortlist import keys
from shortlist.config.features import Feature, FeatureType

_DTYPES = {FeatureType.NUMERIC: tf.float32, FeatureType.TIMESTAMP: tf.int64}


def query_inputs(settings: Settings) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of `query_embedding` by name.

    A missing value is "" for strings, NaN for a numeric feature and 0 for a time. The padding of `history_ids` (at the
    right) and of multi_category features is "", too.
    """
    return {
        keys.QUERY_ID: tf.TensorSpec([None], tf.string, name=keys.QUERY_ID),
        keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.string, name=keys.HISTORY_IDS),
        keys.HISTORY_TIMES: tf.TensorSpec([None, None], tf.int64, name=keys.HISTORY_TIMES),
        keys.QUERY_TIME: tf.TensorSpec([None], tf.int64, name=keys.QUERY_TIME),
        **_feature_inputs(settings.query_features),
    }


def candidate_inputs(settings: Settings) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of `embed_candidates` by name; missing values are those of `query_inputs`."""
    return {
        keys.CANDIDATE_ID: tf.TensorSpec([None], tf.string, name=keys.CANDIDATE_ID),
        **_feature_inputs(settings.candidate_features),
    }


def feature_types(features: Mapping[str, Feature]) -> dict[str, FeatureType]:
    """Returns the type of each feature."""
    return {name: feature.type for name, feature in features.items()}


def sparse_features(inputs: Mapping[str, tf.Tensor], types: Mapping[str, FeatureType]) -> dict[str, tf.SparseTensor]:
    """Returns features as parsing does: [batch, n] without entries for missing values."""
    return {name: sparse(inputs[name], kind) for name, kind in types.items()}


def sparse(values: tf.Tensor, kind: FeatureType) -> tf.SparseTensor:
    """Returns the values of one feature as parsing does: [batch, n] without entries for missing values."""
    columns = values
    if kind is not FeatureType.MULTI_CATEGORY:
        columns = values[:, tf.newaxis]
    if kind is FeatureType.NUMERIC:
        present = ~tf.math.is_nan(columns)
    elif kind is FeatureType.TIMESTAMP:
        present = columns != 0
    else:
        present = columns != ""
    indices = tf.where(present)
    return tf.SparseTensor(indices, tf.gather_nd(columns, indices), tf.shape(columns, out_type=tf.int64))


def missing(kind: FeatureType, number: int) -> tf.Tensor:
    """Returns missing values as `query_inputs` defines them: [number] or, for multi_category, [number, 1]."""
    fill: Any = {FeatureType.NUMERIC: float("nan"), FeatureType.TIMESTAMP: 0}.get(kind, "")
    shape = [number, 1] if kind is FeatureType.MULTI_CATEGORY else [number]
    return tf.fill(shape, tf.constant(fill, _DTYPES.get(kind, tf.string)))


def embed_requests(
    tower: FeaturesTower | HistoryTower,
    reader: WindowReader,
    types: Mapping[str, FeatureType],
    inputs: Mapping[str, tf.Tensor],
    rows: tf.Tensor,
    candidates: tf.Tensor,
    normalize: bool,
) -> tf.Tensor:
    """Returns the embeddings of served requests, [batch, embedding_dim].

    Args:
      tower: The query tower.
      reader: Transforms the features.
      types: Types of the query features.
      inputs: See `query_inputs`; `history_ids` is not read.
      rows: int32 [batch, n], each history as rows of `candidates`; -1 for padding and for items that are not in it.
      candidates: [corpus, embedding_dim].
      normalize: Whether outputs have length 1.
    """
    raw = sparse_features(inputs, {**types, keys.QUERY_ID: FeatureType.CATEGORY})
    query_times = inputs[keys.QUERY_TIME]
    # An interval ends at the query's time, so a request without it is as one without history times.
    has_time = query_times[:, tf.newaxis] != UNKNOWN
    times = tf.where(has_time, _of_width(inputs[keys.HISTORY_TIMES], tf.shape(rows)[1]), UNKNOWN)
    history, clock = reader.latest(rows, times, query_times)
    shares = reader.shares_of_span(sparse(query_times, FeatureType.TIMESTAMP))
    return embed_histories(tower, reader.transform(raw), history, candidates, shares[:, 0], clock, normalize)


def _feature_inputs(features: Mapping[str, Feature]) -> dict[str, tf.TensorSpec]:
    specs = {}
    for name, feature in features.items():
        shape = [None, None] if feature.type is FeatureType.MULTI_CATEGORY else [None]
        specs[name] = tf.TensorSpec(shape, _DTYPES.get(feature.type, tf.string), name=name)
    return specs


def _of_width(times: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns times cut or padded to [batch, width]; a request may have fewer times than items."""
    times = times[:, :width]
    return tf.pad(times, [[0, 0], [0, width - tf.shape(times)[1]]], constant_values=UNKNOWN)
