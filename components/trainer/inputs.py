"""Inputs of the exported signatures, and the embeddings of requests."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from components.trainer.intervals import UNKNOWN
from components.trainer.model import embed_histories
from components.trainer.raw_values import dtype_of, placeholder, sparse, sparse_features
from components.trainer.settings import Settings
from components.trainer.towers.features import FeaturesTower
from components.trainer.towers.history import HistoryTower
from components.trainer.window_reader import WindowReader
from shortlist import keys
from shortlist.config.features import Feature, FeatureType


def query_inputs(settings: Settings) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of `query_embedding` by name.

    A missing value is "" for strings, NaN for a numeric feature and 0 for a time. The padding of `history_ids` (at the
    right) and of multi_category features is "", too. `history_<name>` has one value per item of `history_ids`.
    """
    history = {keys.HISTORY_FEATURE + name: feature for name, feature in settings.history_features.items()}
    context = {keys.CONTEXT_FEATURE + name: feature for name, feature in settings.context_features.items()}
    return {
        keys.QUERY_ID: tf.TensorSpec([None], tf.string, name=keys.QUERY_ID),
        keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.string, name=keys.HISTORY_IDS),
        keys.HISTORY_TIMES: tf.TensorSpec([None, None], tf.int64, name=keys.HISTORY_TIMES),
        keys.QUERY_TIME: tf.TensorSpec([None], tf.int64, name=keys.QUERY_TIME),
        **{name: tf.TensorSpec([None, None], dtype_of(feature.type), name=name) for name, feature in history.items()},
        **_feature_inputs(context),
        **_feature_inputs(settings.query_features),
    }


def candidate_inputs(settings: Settings) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of `embed_candidates` by name; missing values are those of `query_inputs`."""
    return {
        keys.CANDIDATE_ID: tf.TensorSpec([None], tf.string, name=keys.CANDIDATE_ID),
        **_feature_inputs(settings.candidate_features),
    }


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
    width = tf.shape(rows)[1]
    times = tf.where(has_time, _of_width(inputs[keys.HISTORY_TIMES], width, UNKNOWN), UNKNOWN)
    raw_items = {
        name: _of_width(values, width, placeholder(reader.interactions.types[name]))
        for name, values in reader.interactions.raw_history(inputs).items()
    }
    history, clock, item_features = reader.latest(rows, times, query_times, raw_items)
    shares = reader.shares_of_span(sparse(query_times, FeatureType.TIMESTAMP))
    return embed_histories(
        tower,
        reader.transform(raw),
        history,
        candidates,
        shares[:, 0],
        clock,
        normalize,
        item_features,
        reader.interactions.of_requests(inputs),
    )


def _feature_inputs(features: Mapping[str, Feature]) -> dict[str, tf.TensorSpec]:
    specs = {}
    for name, feature in features.items():
        shape = {FeatureType.MULTI_CATEGORY: [None, None], FeatureType.VECTOR: [None, feature.dim]}.get(
            feature.type, [None]
        )
        specs[name] = tf.TensorSpec(shape, dtype_of(feature.type), name=name)
    return specs


def _of_width(values: tf.Tensor, width: tf.Tensor, fill: str | float) -> tf.Tensor:
    """Returns values cut or padded to [batch, width]; a request may have fewer times or features than items."""
    values = values[:, :width]
    return tf.pad(values, [[0, 0], [0, width - tf.shape(values)[1]]], constant_values=tf.constant(fill, values.dtype))
