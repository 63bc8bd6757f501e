"""Derives the schema of the windows; the files under schemas/ describe only the flat tables."""

from __future__ import annotations

import math
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist import keys
from shortlist.config.features import Feature, FeatureType
from shortlist.config.interaction_features import InteractionFeatures

SCHEMA_FILE = "schema.pbtxt"

_WINDOW_FEATURES = {
    keys.QUERY_ID: schema_pb2.BYTES,
    keys.HISTORY_IDS: schema_pb2.BYTES,
    keys.HISTORY_TIMES: schema_pb2.INT,
    keys.TARGET_IDS: schema_pb2.BYTES,
    keys.TARGET_TIMES: schema_pb2.INT,
    keys.TARGET_WEIGHTS: schema_pb2.FLOAT,
    keys.SEEN_IDS: schema_pb2.BYTES,
}


_KINDS = {FeatureType.NUMERIC: schema_pb2.FLOAT, FeatureType.TIMESTAMP: schema_pb2.INT}


def kind_of(feature: Feature) -> int:
    """Returns the schema_pb2.FeatureType of a feature's values in examples."""
    return _KINDS.get(feature.type, schema_pb2.BYTES)


# Rows and their features pair by position, so that a missing value of a row needs a placeholder.
MISSING: dict[int, Any] = {schema_pb2.BYTES: b"", schema_pb2.FLOAT: math.nan, schema_pb2.INT: 0}


def is_missing(value: Any, kind: int) -> bool:
    """Returns whether a value of a schema_pb2.FeatureType is the placeholder of a missing one."""
    return math.isnan(value) if kind == schema_pb2.FLOAT else bool(value == MISSING[kind])


def interaction_feature_types(features: InteractionFeatures) -> dict[str, int]:
    """Returns the schema_pb2.FeatureType of the features of the log's rows, by their names in the windows."""
    types = {keys.HISTORY_FEATURE + name: kind_of(feature) for name, feature in features.history.items()}
    types |= {keys.CONTEXT_FEATURE + name: kind_of(feature) for name, feature in features.carried.items()}
    return types


def query_feature_types(queries_schema: schema_pb2.Schema | None) -> dict[str, int]:
    """Returns the schema_pb2.FeatureType of the queries' features by name, without ids and other reserved keys."""
    features = queries_schema.feature if queries_schema is not None else ()
    return {feature.name: feature.type for feature in features if feature.name not in keys.RESERVED}


def windows_schema(feature_types: dict[str, int]) -> schema_pb2.Schema:
    """Returns the schema of the windows with these features of the queries and of the log's rows.

    No feature has a shape, so that TFX parses each as variable length. Histories vary
    in length, and a query without a row in the queries table has no feature values.
    """
    schema = schema_pb2.Schema()
    for name, kind in {**_WINDOW_FEATURES, **feature_types}.items():
        feature = schema.feature.add(name=name, type=kind)
        feature.value_count.min = 0
    return schema
