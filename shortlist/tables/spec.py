"""Specs of tables: the roles of their columns, as plain data for a JSON exec property."""

from __future__ import annotations

import calendar
import dataclasses
import json
import os
from typing import Any, Literal, get_args

from shortlist import keys
from shortlist.config import paths
from shortlist.config.features import Feature, FeatureType
from shortlist.config.table import Candidates, Duplicates, Interactions, Queries, Table, TableName
from shortlist.config.table import Format as FormatSection
from shortlist.errors import DataError
from shortlist.tables.inputs import InputFile

Kind = TableName
KINDS: tuple[Kind, ...] = get_args(Kind)

Format = FormatSection
ColumnType = Literal[
    "id", "order", "subsecond", "weight", "category", "multi_category", "numeric", "text", "timestamp", "vector"
]
Unit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "dates", "order"]

# Units of timestamps with fractions of a second. Every row of such a log has `timestamp_nanos`.
UNITS_WITH_PARTS: frozenset[Unit] = frozenset({"milliseconds", "microseconds", "nanoseconds", "iso8601"})

DEFAULT_DELIMITER = "|"

_TEXT_ENDINGS: dict[str, tuple[Format, str]] = {
    ".csv": ("csv", ","),
    ".tsv": ("csv", "\t"),
    ".dat": ("csv", "::"),
    ".data": ("csv", "\t"),
    ".inter": ("csv", "\t"),
    ".user": ("csv", "\t"),
    ".item": ("csv", "\t"),
    ".txt": ("csv", ","),
    ".jsonl": ("jsonl", ","),
    ".ndjson": ("jsonl", ","),
    ".json": ("json", ","),
}
_BINARY_ENDINGS: dict[str, Format] = {".xlsx": "xlsx", ".parquet": "parquet"}
# RecBole's atomic files, whose header has types: `user_id:token`.
_TYPED_HEADERS = (".inter", ".user", ".item")

ENDINGS = (*_TEXT_ENDINGS, *_BINARY_ENDINGS, ".zip", "text also .gz")
"""Endings of file names whose format is known, for messages."""


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a table's text files are written."""

    delimiter: str | None = None
    """Characters between fields; `" "` is any run of blanks. None to use the ending of each file's name."""

    header: bool = True
    """Whether the first line has the names of the columns."""

    columns: tuple[str, ...] | None = None
    """Names of the columns of files without a header."""

    encoding: str = "utf-8"
    """Python's name of the encoding of files without a byte order mark."""

    decimal: str = "."
    """Decimal mark, a point or a comma."""


@dataclasses.dataclass(frozen=True)
class VectorFile:
    """The locations of a matrix of vectors and of their ids, see `vector_files`."""

    path: str
    """Path of the matrix, as in the config or absolute."""

    ids: str
    """Path of the ids: UTF-8, one per line, in the order of the matrix' rows."""

    def located(self, data_root: str | os.PathLike[str]) -> VectorFile:
        """Returns the absolute locations; relative paths start at the data root."""
        return VectorFile(paths.full_path(self.path, data_root), paths.full_path(self.ids, data_root))

    def files(self, data_root: str | os.PathLike[str]) -> list[InputFile]:
        """Returns both files, for fingerprints of their content.

        Raises:
          DataError: A file does not exist.
        """
        found = []
        for name in (self.path, self.ids):
            full = paths.full_path(name, data_root)
            try:
                found.append(InputFile(name, full, os.path.getsize(full)))
            except OSError as error:
                raise DataError.from_reason(full, "a readable file", error.strerror, "correct the path") from None
        return found


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """One column to read."""

    name: str
    """Key in the examples."""

    column: str
    """Name in the file."""

    type: ColumnType
    """Type of the cells. `id`, `order` (the interactions' timestamp), `subsecond` (its nanoseconds after the whole
    second) and `weight` are required in every row; features are not."""

    key: str
    """Config key that names this column, for remedies."""

    delimiter: str | None = None
    """Separator of a multi_category column."""

    unit: Unit | None = None
    """Unit of an order or subsecond column. Parquet's own time columns do not use it."""

    earliest: int | None = None
    """Earliest valid time of an order or subsecond column, in seconds since 1970."""

    weights: dict[str, float] | None = None
    """Weight of each text in a weight column; None if the cell itself is the weight."""

    time_format: str | None = None
    """Format for `datetime.strptime` of an order or subsecond column; None for times in `unit`."""

    dim: int | None = None
    """Number of values of a vector column."""

    allows_missing: bool | None = None
    """Whether a row may lack the vector; None for other columns."""

    vectors: VectorFile | None = None
    """File of a vector column that has one of its own: `column` is then that of the table's ids."""


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One table: its file format and the columns to read."""

    kind: Kind
    format: Format | None
    """Format of all files; None to use the ending of each file's name."""

    columns: tuple[ColumnSpec, ...]
    filter: str | None = None
    """A `shortlist.config.row_filter`. Other rows are dropped before their cells are checked."""

    duplicates: Duplicates = "refuse"
    """Handling of repeated ids in tables of candidates and queries; not used for interactions."""

    dialect: Dialect = Dialect()
    """How text files are written."""

    def to_json(self) -> str:
        """Returns the spec as canonical JSON.

        Later fields are left out if they have their defaults, so that the JSON of older specs stays the same.
        """
        raw = dataclasses.asdict(self)
        if self.dialect == Dialect():
            del raw["dialect"]
        for column in raw["columns"]:
            for name in ("time_format", "dim", "allows_missing", "vectors"):
                if column[name] is None:
                    del column[name]
        return json.dumps(raw, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TableSpec:
        """Returns the spec from the JSON of `to_json`."""
        raw = json.loads(text)
        raw["columns"] = tuple(map(_column_of_json, raw["columns"]))
        dialect = raw.pop("dialect", {})
        if dialect.get("columns") is not None:
            dialect["columns"] = tuple(dialect["columns"])
        return cls(**raw, dialect=Dialect(**dialect))

    def column(self, name: str) -> ColumnSpec:
        """Returns the column with the key `name` in the examples."""
        return next(column for column in self.columns if column.name == name)

    def located(self, data_root: str | os.PathLike[str]) -> TableSpec:
        """Returns the spec with the absolute locations of files of vectors."""
        columns = (
            column if column.vectors is None else dataclasses.replace(column, vectors=column.vectors.located(data_root))
            for column in self.columns
        )
        return dataclasses.replace(self, columns=tuple(columns))

    def vector_files(self, data_root: str | os.PathLike[str]) -> list[InputFile]:
        """Returns the files of vectors, for fingerprints of their content.

        Raises:
          DataError: A file does not exist.
        """
        of_columns = (column.vectors.files(data_root) for column in self.columns if column.vectors is not None)
        return [file for files in of_columns for file in files]

    def format_of(self, file_name: str) -> Format | None:
        """Returns the format of one of the table's files; None if the ending of its name is unknown.

        `json` from an ending means an array or JSON Lines, by the file's content.
        """
        if self.format is not None:
            return self.format
        ending = _text_ending(file_name)
        if ending is not None:
            return _TEXT_ENDINGS[ending][0]
        lower = file_name.lower()
        return next((format_ for ending, format_ in _BINARY_ENDINGS.items() if lower.endswith(ending)), None)

    def delimiter_of(self, file_name: str) -> str:
        """Returns the delimiter of one of the table's files, if it is delimited text."""
        if self.dialect.delimiter is not None:
            return self.dialect.delimiter
        ending = _text_ending(file_name)
        return "," if ending is None else _TEXT_ENDINGS[ending][1]


def _column_of_json(raw: dict[str, Any]) -> ColumnSpec:
    vectors = raw.pop("vectors", None)
    return ColumnSpec(**raw, vectors=VectorFile(**vectors) if vectors else None)


def has_typed_header(file_name: str) -> bool:
    """Returns whether the header of a file has types after colons, as in `user_id:token`."""
    return _text_ending(file_name) in _TYPED_HEADERS


def _text_ending(file_name: str) -> str | None:
    lower = file_name.lower().removesuffix(".gz")
    return next((ending for ending in _TEXT_ENDINGS if lower.endswith(ending)), None)


def table_spec(kind: Kind, table: Table, timestamp_unit: Unit = "order") -> TableSpec:
    """Returns the spec of a table in the config.

    Args:
      kind: Name of the table.
      table: The table's section.
      timestamp_unit: Unit of the interactions' timestamp, from `preflight`; not used for other tables.
    """
    columns = [ColumnSpec(name, column, "id", f"data.{kind}.{name}") for name, column in _id_columns(table).items()]
    if isinstance(table, Interactions):
        columns += [*_time_columns(table, timestamp_unit), *_weight_columns(table)]
    columns += [
        ColumnSpec(
            name=name,
            column=feature.column or name if feature.path is None else columns[0].column,
            type=feature.type.value,
            key=f"data.{kind}.features.{name}" + (".column" if feature.path is None else ""),
            delimiter=_delimiter(feature),
            dim=feature.dim,
            allows_missing=feature.missing == "zero" if feature.type is FeatureType.VECTOR else None,
            vectors=None if feature.path is None else VectorFile(feature.path, feature.ids or ""),
        )
        for name, feature in table.features.items()
    ]
    duplicates: Duplicates = "refuse"
    if isinstance(table, Candidates | Queries):
        duplicates = table.duplicates
    dialect = Dialect(table.delimiter, table.header, table.columns, table.encoding, table.decimal)
    return TableSpec(kind, table.format, tuple(columns), table.filter, duplicates, dialect)


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
        time_format=table.timestamp_format,
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
