"""Conversion between tf.train.Example and the plain tuples of the cores, and the sharding of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from components.windows import schema, windowing
from shortlist import keys, splits
from shortlist.config.interaction_features import InteractionFeatures


def shard_of(query_id: bytes, num_shards: int) -> int:
    """Returns the shard of a query. It is the same on every run, since it does not use Python's seeded hash."""
    return int.from_bytes(hashlib.sha256(query_id).digest()[:8], "big") % num_shards


def num_shards(num_interactions: int, per_shard: int = 200_000) -> int:
    """Returns the number of files per split; one worker sorts a whole file in memory."""
    return max(1, -(-num_interactions // per_shard))


def encode(
    query_id: bytes,
    window: windowing.Window,
    query_row: bytes | None,
    feature_types: Mapping[str, int],
    interaction_features: InteractionFeatures | None = None,
) -> bytes:
    """Returns the serialized windows record; equal inputs give equal bytes.

    Args:
      query_id: The query's id.
      window: One of its windows.
      query_row: The query's serialized flat example; None if the queries table lacks it.
      feature_types: schema_pb2.FeatureType of the features to copy from `query_row`, by name.
      interaction_features: The features of the window's rows, `splits.Interaction.features` in the order of `carried`.
    """
    example = tf.train.Example()
    features = example.features.feature
    features[keys.QUERY_ID].bytes_list.value.append(query_id)
    features[keys.HISTORY_IDS].bytes_list.value.extend(row.candidate_id for row in window.history)
    features[keys.HISTORY_TIMES].int64_list.value.extend(row.timestamp for row in window.history)
    features[keys.TARGET_IDS].bytes_list.value.extend(row.candidate_id for row in window.targets)
    features[keys.TARGET_TIMES].int64_list.value.extend(row.timestamp for row in window.targets)
    features[keys.TARGET_WEIGHTS].float_list.value.extend(row.weight for row in window.targets)
    features[keys.SEEN_IDS].bytes_list.value.extend(window.seen_ids)
    # Readers see an empty list of the right type, not an absent feature.
    for name in (keys.HISTORY_IDS, keys.SEEN_IDS):
        features[name].bytes_list.SetInParent()
    features[keys.HISTORY_TIMES].int64_list.SetInParent()
    if interaction_features is not None:
        _add_interaction_features(features, window, interaction_features)
    _copy_features(tf.train.Example.FromString(query_row or b""), example, feature_types)
    # Without `deterministic`, Protobuf does not define the order of a map's entries.
    return example.SerializeToString(deterministic=True)


def _add_interaction_features(
    example: Any, window: windowing.Window, interaction_features: InteractionFeatures
) -> None:
    """Adds the history's features, and those features of the targets that the window's split may have.

    Targets of a train window are history for later ones. A held-out target has only what is known at the request, and
    what slices its metrics.
    """
    used = interaction_features
    is_train = window.split == keys.SPLIT_TRAIN
    of_targets = used.read if is_train else {**used.context, **used.slices}
    for index, (name, feature) in enumerate(used.carried.items()):
        kind = schema.kind_of(feature)
        if name in used.history:
            extend(example[keys.HISTORY_FEATURE + name], kind, _column(window.history, index))
        if name in of_targets:
            values = _column(window.targets, index)
            if not is_train:
                # A single target needs no placeholder, and a missing value is no slice.
                values = [value for value in values if not schema.is_missing(value, kind)]
            extend(example[keys.CONTEXT_FEATURE + name], kind, values)


def _column(rows: Iterable[splits.Interaction], index: int) -> list[Any]:
    return [row.features[index] for row in rows]


def extend(feature: tf.train.Feature, kind: int, values: Iterable[Any]) -> None:
    """Adds values of a schema_pb2.FeatureType; without any, the feature becomes an empty list of this type."""
    values_of = _list_of(feature, kind)
    values_of.SetInParent()
    values_of.value.extend(values)


def _list_of(feature: tf.train.Feature, kind: int) -> Any:
    """Returns the list of values of a schema_pb2.FeatureType."""
    return {
        schema_pb2.BYTES: feature.bytes_list,
        schema_pb2.INT: feature.int64_list,
        schema_pb2.FLOAT: feature.float_list,
    }[kind]


def _copy_features(source: tf.train.Example, target: tf.train.Example, feature_types: Mapping[str, int]) -> None:
    for name, kind in feature_types.items():
        feature = target.features.feature[name]
        if name in source.features.feature:
            feature.CopyFrom(source.features.feature[name])
        if feature.WhichOneof("kind") is None:
            _list_of(feature, kind).SetInParent()
