"""The schemas of the input tables, compared with the config's features before anything is ingested."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist import keys
from shortlist.config.data import Data
from shortlist.errors import ConfigError
from shortlist.quoting import closest
from shortlist.tables.spec import ColumnSpec, ColumnType, Kind, TableSpec, table_spec

_TYPES: dict[ColumnType, str] = {"numeric": "FLOAT", "vector": "FLOAT", "timestamp": "INT", "order": "INT"}
ADDED = {
    keys.TIMESTAMP_NANOS: "type: INT int_domain { min: 0 max: 999999999 }",
    keys.WEIGHT: "type: FLOAT float_domain { min: 0.0 }",
    keys.SOURCE_PATH: "type: BYTES",
    keys.SOURCE_ROW: "type: INT int_domain { min: 0 }",
}
"""The columns that the pipeline adds to each schema, with the type of each as the text of a feature."""
# TFDV ignores features of other stages.
_IN_USE = (schema_pb2.UNKNOWN_STAGE, schema_pb2.BETA, schema_pb2.PRODUCTION, schema_pb2.VALIDATION_DERIVED)
UPDATE_COMMAND = "shortlist schema infer --update --config FILE"


def type_of(column: ColumnSpec) -> str:
    """Returns the type of a column in a schema: BYTES, FLOAT or INT."""
    return _TYPES.get(column.type, "BYTES")


def path_of(data: Data, kind: Kind) -> pathlib.Path:
    """Returns the path of a table's schema."""
    return pathlib.Path(data.schemas) / f"{kind}.pbtxt"


def read(path: pathlib.Path) -> schema_pb2.Schema:
    """Returns a schema.

    Raises:
      ConfigError: There is none, it cannot be read, or it is not a schema.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except FileNotFoundError:
        raise ConfigError.from_parts(
            "data.schemas",
            f"the file {path}",
            "none",
            "write one like those in schemas/movielens_100k, or set data.schemas to another folder",
        ) from None
    except OSError as error:
        raise ConfigError.from_reason(path, "a readable file", error.strerror) from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise not_a_schema(path, error) from None


def not_a_schema(path: pathlib.Path, error: Exception) -> ConfigError:
    """Returns the error for a file whose content cannot be parsed.

    Args:
      path: The file.
      error: What the parser raised.
    """
    return ConfigError.from_parts(
        path,
        "a TensorFlow Metadata schema as text",
        " ".join(str(error).split()),
        "`shortlist schema infer` writes one",
    )


def undeclared(spec: TableSpec, schema: schema_pb2.Schema) -> list[ColumnSpec]:
    """Returns the columns that a run reads and the schema lacks, without those that the pipeline adds to it."""
    declared = {feature.name for feature in schema.feature}
    return [column for column in spec.columns if column.name not in declared | ADDED.keys()]


def problems(data: Data, update_command: str) -> Iterator[ConfigError]:
    """Yields the differences between the config and the schemas that the data gate would find after ingestion.

    Args:
      data: The section `data`.
      update_command: Command line that adds missing features to the schemas, for errors.

    Raises:
      ConfigError: A schema is missing, or is not one.
    """
    for kind, table in data.tables.items():
        path = path_of(data, kind)
        yield from _differences(table_spec(kind, table), read(path), path, f"`{update_command}` adds it")


def _differences(
    spec: TableSpec, schema: schema_pb2.Schema, path: pathlib.Path, remedy_of_missing: str
) -> Iterator[ConfigError]:
    features = {feature.name: feature for feature in schema.feature}
    for column in undeclared(spec, schema):
        expected = f"the feature {column.name!r}, for {_described(column)}"
        yield ConfigError.from_parts(path, expected, "none", remedy_of_missing)
    for column in spec.columns:
        feature = features.get(column.name)
        if feature is None or column.name in ADDED or feature.type == schema_pb2.TYPE_UNKNOWN:
            continue
        got = schema_pb2.FeatureType.Name(feature.type)
        if got != type_of(column):
            yield ConfigError.from_parts(
                path,
                f"type {type_of(column)} of the feature {column.name!r}, for {_described(column)}",
                got,
                "correct the schema, or the feature's type in the config",
            )
    names = [column.name for column in spec.columns]
    for name in features.keys() - set(names) - ADDED.keys():
        if not _is_required(features[name]):
            continue
        remedy = f"add it to data.{spec.kind}.features, or remove it from the schema"
        if close := closest(name, names):
            remedy += f"; the config has {close!r}"
        yield ConfigError.from_parts(
            f"data.{spec.kind}.features", f"the feature {name!r}, which {path} requires", "none", remedy
        )


def _described(column: ColumnSpec) -> str:
    """Returns the config's line on a column: `data.candidates.features.brand: category`, or `data.queries.query_id`."""
    key = column.key.removesuffix(".column")
    return key if column.type in ("id", "order") else f"{key}: {column.type}"


def _is_required(feature: schema_pb2.Feature) -> bool:
    needed = feature.presence.min_count > 0 or feature.presence.min_fraction > 0.0
    return needed and feature.lifecycle_stage in _IN_USE and not feature.deprecated
