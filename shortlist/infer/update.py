"""Additions to the schemas of a config that has gained features."""

from __future__ import annotations

import dataclasses
import os
import pathlib

from tensorflow_metadata.proto.v0 import schema_pb2

from shortlist.config.config import Config
from shortlist.config.features import FeatureType
from shortlist.errors import ConfigError
from shortlist.infer.write import feature_text, presence_bound
from shortlist.tables import schemas
from shortlist.tables.input_table import InputTable
from shortlist.tables.spec import ColumnSpec, Kind


@dataclasses.dataclass(frozen=True)
class Added:
    """A feature that was added to a schema."""

    table: Kind
    feature: str
    type: str
    """BYTES, FLOAT or INT."""
    present: float
    """Fraction of the sampled rows that have a value."""
    path: pathlib.Path
    """The schema."""


def update_schemas(config: Config, data_root: str | os.PathLike[str]) -> list[Added]:
    """Adds the features to the schemas that the config has and they lack; all else in them stays.

    The first rows of the table say how often a value is missing.

    Args:
      config: The checked config.
      data_root: Start of relative data paths; may be a URI.

    Raises:
      DataError: A table cannot be read, or lacks the feature's column.
      ConfigError: A schema is not one, or cannot be written.
    """
    added: list[Added] = []
    texts: dict[pathlib.Path, str] = {}
    for kind, table in config.data.tables.items():
        path = schemas.path_of(config.data, kind)
        existing = schemas.read(path) if path.exists() else schema_pb2.Schema()
        input_table = InputTable.of(kind, table, data_root)
        missing = schemas.undeclared(input_table.spec, existing)
        if not missing:
            continue
        rows = input_table.sample().rows
        parts = [path.read_text(encoding="utf-8").rstrip("\n")] if path.exists() else [f"# {kind}"]
        for column in missing:
            present = sum(bool(row.get(column.name)) for row in rows) / max(len(rows), 1)
            parts.append(_text(column, present))
            added.append(Added(kind, column.name, schemas.type_of(column), present, path))
        texts[path] = "\n".join(parts) + "\n"
    for path, text in texts.items():
        _write(path, text)
    return added


def _text(column: ColumnSpec, present: float) -> str:
    values = column.dim or (None if column.type == FeatureType.MULTI_CATEGORY.value else 1)
    return feature_text(
        column.name, schemas.type_of(column), presence_bound(present), values if present == 1.0 else None
    )


def _write(path: pathlib.Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise ConfigError.from_reason(path, "a file that can be written", error.strerror) from None
