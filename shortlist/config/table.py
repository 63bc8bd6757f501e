"""The tables of the `data` section: their files and the roles of their columns."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal

import pydantic

from shortlist import keys
from shortlist.config import paths, row_filter, text_format
from shortlist.config.features import Feature, FeatureType, InteractionFeature
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Number, Section, Text, Whole
from shortlist.quoting import short_repr

TableName = Literal["interactions", "candidates", "queries"]

Format = Literal["csv", "jsonl", "json", "xlsx", "parquet"]

TimestampUnit = Literal[
    "auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "dates", "order", "row"
]

Duplicates = Literal["refuse", "first", "last"]

Repeats = Literal["all", "first", "last"]

WeightValue = Annotated[Number, pydantic.Field(ge=0.0, le=1_000_000.0)]
# Transform writes a vocabulary to a file of the feature's name and some 100 characters of its own; file names have at
# most 255.
_FEATURE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
# Still above 0 as a float32: a weight of exactly 0 means history.
_MIN_WEIGHT = 1e-6


class Table(Section):
    """One input table: its files, and the roles of their columns."""

    path: str
    """A file, a folder, a pattern (`*.csv`), dated spans (`log/{YYYY}-{MM}-{DD}/*.csv`) or a URI that Beam can open.
    Relative paths start at SHORTLIST_DATA_DIR. Formats: delimited text, JSON Lines and JSON arrays (plain, gzipped or
    in a zip file of their own), Excel's `.xlsx`, Parquet."""

    format: Format | None = None
    """Format of the files; by default, from the endings of their names. `csv` is all delimited text, `json` one array
    of objects, `xlsx` the first sheet of a workbook."""

    delimiter: str | None = None
    """One or more characters between the fields of delimited text; `" "` is any run of blanks. By default a tab for
    `.tsv`, `.data`, `.inter`, `.user` and `.item`, `::` for `.dat`, and otherwise a comma. Fields may be quoted if the
    delimiter is one character."""

    header: bool = True
    """Whether the first line of delimited text, or the first row of a sheet, has the names of the columns. In `.inter`,
    `.user` and `.item`, a name ends at its colon: `user_id:token` is `user_id`."""

    columns: tuple[str, ...] | None = None
    """Names of all columns, in their order, with `header: false`."""

    encoding: str = "utf-8"
    """Encoding of text files, by Python's name, such as `cp1252`. A byte order mark (UTF-8, UTF-16, UTF-32) takes
    precedence."""

    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers in text."""

    filter: str | None = None
    """Condition for the rows to read, on the file's own columns: `rating >= 4 and country in ("UK", "FR")`. Other rows
    are dropped and counted; their cells are not checked."""

    features: dict[str, Feature] = {}
    """Features by name, such as `genres: multi_category`."""

    @pydantic.field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        paths.check_path(path)
        return without_credentials(path)

    @pydantic.field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str | None) -> str | None:
        return None if delimiter is None else text_format.checked_delimiter(delimiter)

    @pydantic.field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str) -> str:
        return text_format.checked_encoding(encoding)

    @pydantic.model_validator(mode="after")
    def _check_text_options(self) -> Table:
        text_format.checked_columns(self.columns, self.header)
        if self.delimiter is not None and self.format not in (None, "csv"):
            raise ValueError(f"delimiter needs format csv, got {self.format}")
        if not self.header and self.format not in (None, "csv", "xlsx"):
            raise ValueError(f"header: false needs format csv or xlsx, got {self.format}")
        return self

    @pydantic.field_validator("filter")
    @classmethod
    def _check_filter(cls, text: str | None) -> str | None:
        if text is not None:
            row_filter.parse(text)
        return text

    @pydantic.field_validator("features")
    @classmethod
    def _check_feature_names(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        for name in features:
            if name in keys.RESERVED:
                raise ValueError(f"the feature name {short_repr(name)} is reserved; use `column:` to rename it")
            if name.lower().startswith(keys.RESERVED_PREFIXES):
                raise ValueError(
                    f"the feature name {short_repr(name)} is reserved; use `column:` to rename it, since inputs of "
                    f"the served model begin with {', '.join(keys.RESERVED_PREFIXES)}"
                )
            if not _FEATURE_NAME.fullmatch(name):
                raise ValueError(
                    f"the feature name {short_repr(name)} must be 1 to 100 letters, digits and underscores, "
                    "starting with a letter; use `column:` for the file's own name"
                )
        return features


class Weight(Section):
    """Weight of an interaction in the loss. Metrics and popularity count every interaction once."""

    column: Text
    """Column with the type of the interaction; without `values`, the column with the weight."""

    values: dict[Text, WeightValue] | None = None
    """Weight per type, such as `{view: 1, cart: 3, purchase: 10}`. Types with weight 0 are history, never a target."""

    @pydantic.field_validator("values")
    @classmethod
    def _check_weights(cls, values: dict[str, float] | None) -> dict[str, float] | None:
        if values is None:
            return None
        if max(values.values(), default=0.0) <= 0.0:
            raise ValueError(f"expected at least one weight above 0, got {values}")
        tiny = [f"{name}: {weight:g}" for name, weight in values.items() if 0.0 < weight < _MIN_WEIGHT]
        if tiny:
            raise ValueError(f"expected 0 or weights of at least {_MIN_WEIGHT:g}, got {tiny[0]}")
        return values


class Interactions(Table):
    """The interaction log: one row per interaction of a query (user) with a candidate (item)."""

    query_id: Text = "query_id"
    """Column with the id of the query (user). Ids are strings: `007` stays `007`."""

    candidate_id: Text = "candidate_id"
    """Column with the id of the candidate (item)."""

    timestamp: Text | None = "timestamp"
    """Column with the timestamp, or with any number that increases with time. `null` only with split random, or with
    `timestamp_unit: row`."""

    timestamp_unit: TimestampUnit = "auto"
    """`seconds` to `nanoseconds`: numbers since 1970. `iso8601`: text, in UTC if it has no zone. `order`: whole numbers
    that only order a query's interactions. `dates`: eight digits, such as `20231114`. `row`, with `timestamp: null`:
    the rows are in the order of time, by file name and row. `auto`: detected from the first rows and reported."""

    timestamp_format: str | None = None
    """Format of the timestamps for Python's `strptime`, such as `%m/%d/%Y %H:%M`; times without a zone are UTC."""

    # Table's functions read features only, so that a narrower type of value is sound.
    features: dict[str, InteractionFeature] = {}  # type: ignore[assignment]
    """Features of an interaction by name, such as `rating: numeric`. They are checked and profiled. The model reads
    those in `model.query_tower.history_features`, and those with `known_at_request: true`."""

    earliest: datetime.date = datetime.date(1990, 1, 1)
    """Timestamps before this date are refused as corrupt. Not used with `timestamp_unit: order`."""

    weight: Weight | None = None
    """Weights of interaction types. By default, every interaction has weight 1."""

    repeats: Repeats = "all"
    """Repeated interactions of a query with a candidate. `all` keeps all rows, `first` the oldest. `last` keeps the
    newest row, which leaks the future; metrics become optimistic. Rows of weight 0 repeat only each other."""

    last_spans: Whole | None = pydantic.Field(None, ge=1, le=100_000)
    """Number of newest dates to read if `path` has dated spans. All dates by default."""

    @pydantic.field_validator("timestamp_format")
    @classmethod
    def _check_time_format(cls, time_format: str | None) -> str | None:
        return None if time_format is None else text_format.checked_time_format(time_format)

    @pydantic.model_validator(mode="after")
    def _check_time(self) -> Interactions:
        if self.timestamp_unit == "row" and self.timestamp is not None:
            raise ValueError(f"timestamp_unit row needs timestamp: null, got {self.timestamp!r}")
        if self.timestamp_format is not None and self.timestamp is None:
            raise ValueError("timestamp_format needs timestamp, got null")
        if self.timestamp_format is not None and self.timestamp_unit not in ("auto", "iso8601"):
            raise ValueError(f"timestamp_format needs timestamp_unit auto, got {self.timestamp_unit}")
        return self

    @pydantic.model_validator(mode="after")
    def _check_spans(self) -> Interactions:
        if self.last_spans is not None and not paths.has_spans(self.path):
            raise ValueError(f"last_spans needs {{YYYY}}, {{MM}} and {{DD}} in path, got {short_repr(self.path)}")
        return self


class Candidates(Table):
    """The catalogue: one row per candidate that may be recommended."""

    candidate_id: Text = "candidate_id"
    """Column with the id of the candidate; each id once."""

    duplicates: Duplicates = "refuse"
    """Handling of repeated ids: refuse the table, or keep the first or last row, by file name and row number. With
    `first`, the interaction log itself can be the catalogue."""

    title: str | None = None
    """Name of the feature that `recommend` and the report show as the candidate's title."""

    @pydantic.field_validator("features")
    @classmethod
    def _check_inputs(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        # They are inputs of the signature `embed_candidates`.
        return _checked_inputs(features, keys.RESERVED_FOR_INPUTS)

    @pydantic.model_validator(mode="after")
    def _check_title(self) -> Candidates:
        if self.title is not None and self.title not in self.features:
            raise ValueError(f"title: {short_repr(self.title)} is not among the features {sorted(self.features)}")
        if self.title is not None and self.features[self.title].type is FeatureType.VECTOR:
            raise ValueError(f"title: {short_repr(self.title)} is of type vector; expected a feature that can be read")
        return self


class Queries(Table):
    """Optional features of the queries (users), one row per query."""

    query_id: Text = "query_id"
    """Column with the id of the query; each id once."""

    duplicates: Duplicates = "refuse"
    """Handling of repeated ids: refuse the table, or keep the first or last row, by file name and row number."""

    @pydantic.field_validator("features")
    @classmethod
    def _check_inputs(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        return _checked_inputs(features, keys.RESERVED_FOR_INPUTS | keys.RESERVED_FOR_QUERIES)


def _checked_inputs(features: dict[str, Feature], reserved: frozenset[str]) -> dict[str, Feature]:
    """Returns the features if each name can be that of a signature's input.

    Raises:
      ValueError: A name is reserved, or two names differ only in case.
    """
    # TensorFlow compares the names of a signature's inputs without regard to case.
    names = {name.lower(): name for name in keys.RESERVED | reserved}
    for name in features:
        other = names.setdefault(name.lower(), name)
        if other in features and other != name:
            raise ValueError(
                f"the feature names {short_repr(other)} and {short_repr(name)} differ only in case, which inputs "
                "of a served model may not; rename one and use `column:` for the file's own name"
            )
        if other not in features or other in reserved:
            raise ValueError(f"the feature name {short_repr(name)} is reserved; use `column:` to rename it")
    return features
