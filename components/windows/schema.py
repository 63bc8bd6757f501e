"""Derives the schema of the windows; the files under schemas/ describe only the flat tables."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist import keys

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


def query_feature_types(queries_schema: schema_pb2.Schema | None) -> dict[str, int]:
    """Returns the schema_pb2.FeatureType of the queries' features by name, without ids and other reserved keys."""
    features = queries_schema.feature if queries_schema is not None else ()
    return {feature.name: feature.type for feature in features if feature.name not in keys.RESERVED}


def windows_schema(feature_types: dict[str, int]) -> schema_pb2.Schema:
    """Returns the schema of the windows with these query features.

    No feature has a shape, so that TFX parses each as variable length. Histories vary
    in length, and a query without a row in the queries table has no feature values.
    """
    schema = schema_pb2.Schema()
    for name, kind in {**_WINDOW_FEATURES, **feature_types}.items():
        feature = schema.feature.add(name=name, type=kind)
        feature.value_count.min = 0
    return schema
