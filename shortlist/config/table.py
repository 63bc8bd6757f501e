"""The tables of the `data` section: files, their columns and what these mean."""

from __future__ import annotations

import datetime
import re
from typing import Literal

import pydantic

from shortlist import keys
from shortlist.config import paths, row_filter
from shortlist.config.features import Feature
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Section

TableName = Literal["interactions", "candidates", "queries"]

Format = Literal["csv", "jsonl", "parquet"]

TimestampUnit = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "order"]

Duplicates = Literal["refuse", "first", "last"]

Repeats = Literal["all", "first", "last"]


class Table(Section):
    """One input table: where it is and which of its columns mean what."""

    path: str
    """A file, a folder, a pattern (`*.csv`), dated spans (`log/{YYYY}-{MM}-{DD}/*.csv`) or any URI that Beam opens;
    relative to SHORTLIST_DATA_DIR. CSV, JSON Lines (either may be gzipped) or Parquet."""

    format: Format | None = None
    """Told by the file names' ending unless given."""

    filter: str | None = None
    """Which rows are read, by the file's own column names: `rating >= 4 and country in ("UK", "FR")`. Rows that do not
    pass are dropped and counted, before anything in them is checked."""

    features: dict[str, Feature] = {}
    """Feature name to type."""

    @pydantic.field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        paths.check_path(path)
        return without_credentials(path)

    @pydantic.field_validator("filter")
    @classmethod
    def _filter(cls, text: str | None) -> str | None:
        if text is not None:
            row_filter.parse(text)
        return text

    @pydantic.field_validator("features")
    @classmethod
    def _not_reserved(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        for name in features:
            if name in keys.RESERVED:
                raise ValueError(f"the feature name {name!r} is reserved; use `column:` to rename it")
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(
                    f"the feature name {name!r} must be letters, digits and underscores; "
                    "use `column:` for the file's own name"
                )
        return features


class Weight(Section):
    """How much an interaction counts in the loss. Metrics and popularity count every interaction once."""

    column: str
    """Column of the interaction's type, or of the weight itself where `values` is not given."""

    values: dict[str, float] | None = None
    """Weight of each type, e.g. `{view: 1, cart: 3, purchase: 10}`. With 0, it is history and never a train target."""

    @pydantic.field_validator("values")
    @classmethod
    def _not_negative(cls, values: dict[str, float] | None) -> dict[str, float] | None:
        if values is not None and (min(values.values(), default=0.0) < 0.0 or max(values.values(), default=0.0) <= 0.0):
            raise ValueError(f"weights must be 0 or more, one of them above 0, got {values}")
        return values


class Interactions(Table):
    """The interaction log: one row says that a query met a candidate at a time."""

    query_id: str = "query_id"
    """Column of the query's (the user's) id. Ids are strings: `007` stays `007`."""

    candidate_id: str = "candidate_id"
    """Column of the candidate's (the item's) id."""

    timestamp: str | None = "timestamp"
    """Column of the time, or of any number that grows with it; `null` only with split random."""

    timestamp_unit: TimestampUnit = "auto"
    """seconds, milliseconds, microseconds or nanoseconds since 1970, iso8601 (UTC where it names no zone), or order:
    any whole number that orders a query's interactions. auto is found by looking at the first rows, and told."""

    earliest: datetime.date = datetime.date(1990, 1, 1)
    """A time before this date is taken for a corrupted one and refused; order numbers have no date."""

    weight: Weight | None = None
    """Interaction types with weights; without it, every interaction counts 1."""

    repeats: Repeats = "all"
    """Which interactions of one query with one candidate are kept; those of weight 0 repeat only each other. `last`
    drops a row because of a later one: the history then lacks what is still to come, so figures are optimistic; use it
    only where the log has no first one."""

    last_spans: int | None = pydantic.Field(None, ge=1)
    """With dated spans in `path`: only the newest this many are read; all of them unless given."""

    @pydantic.model_validator(mode="after")
    def _spans_in_path(self) -> Interactions:
        if self.last_spans is not None and not paths.has_spans(self.path):
            raise ValueError(f"last_spans needs {{YYYY}}, {{MM}} and {{DD}} in path, got {self.path!r}")
        return self


class Candidates(Table):
    """The catalogue: everything that may be recommended, one row each."""

    candidate_id: str = "candidate_id"
    """Column of the candidate's id; each id once."""

    duplicates: Duplicates = "refuse"
    """What to do with an id that comes again: refuse the table, or keep the first or last row (by file and row). With
    `first`, the interaction log itself can serve as the catalogue."""

    title: str | None = None
    """Name of the feature that people recognise a candidate by, shown by `recommend`."""

    @pydantic.model_validator(mode="after")
    def _title_is_a_feature(self) -> Candidates:
        if self.title is not None and self.title not in self.features:
            raise ValueError(f"title: {self.title!r} is not among the features {sorted(self.features)}")
        return self


class Queries(Table):
    """Optional: what is known of a query (a user) besides its history."""

    query_id: str = "query_id"
    """Column of the query's id; each id once."""

    duplicates: Duplicates = "refuse"
    """As in candidates."""
