"""Conversion between tf.train.Example and the plain tuples of the cores, and the sharding of files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from components.windows import windowing
from shortlist import keys


def shard_of(query_id: bytes, num_shards: int) -> int:
    """Returns the shard of a query. It is the same on every run, since it does not use Python's seeded hash."""
    return int.from_bytes(hashlib.sha256(query_id).digest()[:8], "big") % num_shards


def num_shards(num_interactions: int, per_shard: int = 200_000) -> int:
    """Returns the number of files per split; one worker sorts a whole file in memory."""
    return max(1, -(-num_interactions // per_shard))


def encode(
    query_id: bytes, window: windowing.Window, query_row: bytes | None, feature_types: Mapping[str, int]
) -> bytes:
    """Returns the serialized windows record; equal inputs give equal bytes.

    Args:
      query_id: The query's id.
      window: One of its windows.
      query_row: The query's serialized flat example; None if the queries table lacks it.
      feature_types: schema_pb2.FeatureType of the features to copy from `query_row`, by name.
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
    _copy_features(tf.train.Example.FromString(query_row or b""), example, feature_types)
    # Without `deterministic`, Protobuf does not define the order of a map's entries.
    return example.SerializeToString(deterministic=True)


def _copy_features(source: tf.train.Example, target: tf.train.Example, feature_types: Mapping[str, int]) -> None:
    for name, kind in feature_types.items():
        feature = target.features.feature[name]
        if name in source.features.feature:
            feature.CopyFrom(source.features.feature[name])
        if feature.WhichOneof("kind") is None:
            lists = {
                schema_pb2.BYTES: feature.bytes_list,
                schema_pb2.INT: feature.int64_list,
                schema_pb2.FLOAT: feature.float_list,
            }
            lists[kind].SetInParent()
