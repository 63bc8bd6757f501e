"""Which columns of a table mean what, as plain data that goes through a JSON exec property."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal, get_args

from shortlist import keys
from shortlist.config import types
from shortlist.errors import ConfigError

Kind = types.TableName
KINDS: tuple[Kind, ...] = get_args(Kind)

Format = types.Format
ColumnType = Literal["id", "order", "category", "multi_category", "numeric", "text", "timestamp"]

DEFAULT_DELIMITER = "|"

_ENDINGS: dict[str, Format] = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet"}


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """One column that is read."""

    name: str
    """Key in the examples."""

    column: str
    """Name in the file."""

    type: ColumnType
    """`id` and `order` (the interactions' timestamp) are required in every row, features are not."""

    key: str
    """Where the config names this column; remedies point at it."""

    delimiter: str | None = None
    """Separator of a multi_category column."""


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One table: its file format and the columns that are read from it."""

    kind: Kind
    format: Format
    columns: tuple[ColumnSpec, ...]

    def to_json(self) -> str:
        """Returns the spec as canonical JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TableSpec:
        """Returns the spec that `to_json` wrote."""
        raw = json.loads(text)
        return cls(raw["kind"], raw["format"], tuple(ColumnSpec(**column) for column in raw["columns"]))

    def column(self, name: str) -> ColumnSpec:
        """Returns the column that goes by `name` in the examples."""
        return next(column for column in self.columns if column.name == name)


def table_spec(kind: Kind, table: types.Table) -> TableSpec:
    """Returns what to read from a table of the config.

    Raises:
      ConfigError: The format is neither given nor told by the file name.
    """
    columns = [
        ColumnSpec(name, column, "order" if name == keys.TIMESTAMP else "id", f"data.{kind}.{name}")
        for name, column in _id_columns(table).items()
        if column is not None
    ]
    columns += [
        ColumnSpec(
            name=name,
            column=feature.column or name,
            type=feature.type.value,
            key=f"data.{kind}.features.{name}.column",
            delimiter=_delimiter(feature),
        )
        for name, feature in table.features.items()
    ]
    return TableSpec(kind, _format(kind, table), tuple(columns))


def _id_columns(table: types.Table) -> dict[str, str | None]:
    names = (keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP)
    return {name: getattr(table, name) for name in names if name in type(table).model_fields}


def _delimiter(feature: types.Feature) -> str | None:
    if feature.type is types.FeatureType.MULTI_CATEGORY:
        return feature.delimiter or DEFAULT_DELIMITER
    return None


def _format(kind: Kind, table: types.Table) -> Format:
    if table.format is not None:
        return table.format
    for ending, format_ in _ENDINGS.items():
        if table.path.lower().endswith(ending):
            return format_
    raise ConfigError(
        f"data.{kind}.path: expected a file name that ends in {', '.join(_ENDINGS)}, got {table.path!r}; "
        f"rename the file or set data.{kind}.format to csv or parquet"
    )
