"""Which columns of a table mean what, as plain data that goes through a JSON exec property."""

from __future__ import annotations

import calendar
import dataclasses
import json
from typing import Literal, get_args

from shortlist import keys
from shortlist.config.features import Feature, FeatureType
from shortlist.config.table import Candidates, Duplicates, Interactions, Queries, Table, TableName
from shortlist.config.table import Format as FormatSection

Kind = TableName
KINDS: tuple[Kind, ...] = get_args(Kind)

Format = FormatSection
ColumnType = Literal["id", "order", "subsecond", "weight", "category", "multi_category", "numeric", "text", "timestamp"]
Unit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "order"]

# Units whose times can have part seconds: `timestamp_nanos` is in every row of such a log.
UNITS_WITH_PARTS: frozenset[Unit] = frozenset({"milliseconds", "microseconds", "nanoseconds", "iso8601"})

DEFAULT_DELIMITER = "|"

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
    ".parquet": "parquet",
}
ENDINGS = tuple(_ENDINGS)


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """One column that is read."""

    name: str
    """Key in the examples."""

    column: str
    """Name in the file."""

    type: ColumnType
    """`id`, `order` (the interactions' timestamp), `subsecond` (what its whole seconds leave) and `weight` are required
    in every row, features are not."""

    key: str
    """Where the config names this column; remedies point at it."""

    delimiter: str | None = None
    """Separator of a multi_category column."""

    unit: Unit | None = None
    """Of an order or subsecond column. A Parquet time says its own, whatever stands here."""

    earliest: int | None = None
    """Of an order or subsecond column: seconds since 1970 before which a time is taken for a corrupted one."""

    weights: dict[str, float] | None = None
    """Of a weight column: the weight of each text; None where the cell is the weight."""


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One table: its file format and the columns that are read from it."""

    kind: Kind
    format: Format | None
    """None: each file's name tells."""

    columns: tuple[ColumnSpec, ...]
    filter: str | None = None
    """Rows that do not pass this `shortlist.config.row_filter` are dropped before anything in them is checked."""

    duplicates: Duplicates = "refuse"
    """What happens to a candidate's or query's id that comes again; interactions have no such id."""

    def to_json(self) -> str:
        """Returns the spec as canonical JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TableSpec:
        """Returns the spec that `to_json` wrote."""
        raw = json.loads(text)
        return cls(**raw | {"columns": tuple(ColumnSpec(**column) for column in raw["columns"])})

    def column(self, name: str) -> ColumnSpec:
        """Returns the column that goes by `name` in the examples."""
        return next(column for column in self.columns if column.name == name)

    def format_of(self, file_name: str) -> Format | None:
        """Returns the format of one of the table's files; None where its name does not tell."""
        if self.format is not None:
            return self.format
        lower = file_name.lower()
        return next((format_ for ending, format_ in _ENDINGS.items() if lower.endswith(ending)), None)


def table_spec(kind: Kind, table: Table, timestamp_unit: Unit = "order") -> TableSpec:
    """Returns what to read from a table of the config.

    Args:
      kind: Which table it is.
      table: The table's section.
      timestamp_unit: Of the interactions' timestamp, as `preflight` found it; other tables have none.
    """
    columns = [ColumnSpec(name, column, "id", f"data.{kind}.{name}") for name, column in _id_columns(table).items()]
    if isinstance(table, Interactions):
        columns += [*_time_columns(table, timestamp_unit), *_weight_columns(table)]
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
    duplicates = table.duplicates if isinstance(table, Candidates | Queries) else "refuse"
    return TableSpec(kind, table.format, tuple(columns), table.filter, duplicates)


def _id_columns(table: Table) -> dict[str, str]:
    names = (keys.QUERY_ID, keys.CANDIDATE_ID)
    return {name: getattr(table, name) for name in names if name in type(table).model_fields}


def _time_columns(table: Interactions, unit: Unit) -> list[ColumnSpec]:
    if table.timestamp is None:
        return []
    column = ColumnSpec(
        name=keys.TIMESTAMP,
        column=table.timestamp,
        type="order",
        key=f"data.interactions.{keys.TIMESTAMP}",
        unit=unit,
        earliest=calendar.timegm(table.earliest.timetuple()),
    )
    if unit not in UNITS_WITH_PARTS:
        return [column]
    return [column, dataclasses.replace(column, name=keys.TIMESTAMP_NANOS, type="subsecond")]


def _weight_columns(table: Interactions) -> list[ColumnSpec]:
    if table.weight is None:
        return []
    key = "data.interactions.weight.column"
    return [ColumnSpec(keys.WEIGHT, table.weight.column, "weight", key, weights=table.weight.values)]


def _delimiter(feature: Feature) -> str | None:
    if feature.type is FeatureType.MULTI_CATEGORY:
        return feature.delimiter or DEFAULT_DELIMITER
    return None
