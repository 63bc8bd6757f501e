"""Schemas for the pipeline: the user's schema files, completed with the columns that Shortlist adds."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Iterable

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist import keys
from shortlist.tables import schemas
from shortlist.tables.spec import TableSpec

# A table that has one of the added columns has exactly one value of it in every row.
_ONE_VALUE_A_ROW = "presence { min_fraction: 1.0 min_count: 1 } value_count { min: 1 max: 1 }"


def stage(spec: TableSpec, schema_folder: str | os.PathLike[str], folder: pathlib.Path) -> pathlib.Path:
    """Copies a table's schema to a path that contains the hash of its content, and returns that path.

    ImportSchemaGen's cache key is the path alone: without the hash, a changed schema would come from the cache.

    Args:
      spec: The table.
      schema_folder: Folder of the user's schemas.
      folder: Folder of the copies.

    Raises:
      ConfigError: The file is not a schema.
    """
    source = pathlib.Path(schema_folder) / f"{spec.kind}.pbtxt"
    try:
        text = with_own_columns(source.read_text(encoding="utf-8"), spec)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise schemas.not_a_schema(source, error) from None
    staged = folder / hashlib.sha256(text.encode("utf-8")).hexdigest()[:16] / source.name
    staged.parent.mkdir(parents=True, exist_ok=True)
    # Atomic: a half-written copy would have the right name and stay the schema for ever.
    partial = staged.with_suffix(".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, staged)
    return staged


def with_own_columns(text: str, spec: TableSpec) -> str:
    """Returns a schema that also has the columns that Shortlist adds when it reads the table.

    Args:
      text: A schema as text; it may have some of these columns already.
      spec: The table.

    Raises:
      text_format.ParseError: The text is not a schema.
    """
    declared = {feature.name for feature in text_format.Parse(text, schema_pb2.Schema()).feature}
    missing = [name for name in _own_columns(spec) if name not in declared]
    return text + "".join(
        f'feature {{ name: "{name}" {schemas.ADDED[name]} {_ONE_VALUE_A_ROW} }}\n' for name in missing
    )


def _own_columns(spec: TableSpec) -> Iterable[str]:
    columns = {column.name for column in spec.columns}
    return (name for name in schemas.ADDED if name in columns or name in (keys.SOURCE_PATH, keys.SOURCE_ROW))
