"""Guesses about every table from its sampled columns, with a reason for each part."""

from __future__ import annotations

import collections
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.errors import ConfigError
from shortlist.infer import roles
from shortlist.infer.columns import SAMPLED_ROWS, InferredColumn, consistency
from shortlist.infer.tables import sample
from shortlist.tables.spec import Kind

_ID_KEYS: dict[Kind, str] = {"candidates": "candidate_id", "queries": "query_id"}
# Minimum consistency of a column with an id, to be a feature of that id.
_MIN_CONSISTENCY = 0.9
# Largest catalogue for loss corpus; larger ones are trained with in-batch negatives.
_MAX_CORPUS_LOSS = 20_000


@dataclasses.dataclass(frozen=True)
class Hints:
    """Columns that the user has named; the others are guessed."""

    query_id: str | None = None
    candidate_id: str | None = None
    timestamp: str | None = None

    @property
    def names(self) -> list[str]:
        """The named columns."""
        return [name for name in dataclasses.astuple(self) if name]


@dataclasses.dataclass(frozen=True)
class TableGuess:
    """Guess about one table: its section of the config, and its columns and types by feature name, for the schema."""

    section: Mapping[str, Any]
    columns: Mapping[str, InferredColumn]
    types: Mapping[str, FeatureType]


@dataclasses.dataclass(frozen=True)
class Guess:
    """Parts of a first config."""

    tables: Mapping[str, TableGuess]
    split: str
    many_candidates: bool
    """Whether there are too many candidates for loss corpus."""
    reasons: Sequence[str]
    """One sentence per guess, with its reason."""


def guess_config(
    interactions: str,
    candidates: str | None,
    queries: str | None,
    data_root: str | os.PathLike[str],
    hints: Hints,
) -> Guess:
    """Guesses the roles of all columns from the first rows of each table.

    Args:
      interactions: Path of the log, as in a config.
      candidates: Path of the catalogue. Without one, the catalogue consists of the log's own candidates.
      queries: Path of the queries' features. Without one, they come from the log, if it has columns for them.
      data_root: Start of relative paths; may be a URI.
      hints: Columns that the user has named.

    Raises:
      ConfigError: No column fits a role, or several fit equally well.
      DataError: A file is missing or cannot be read.
    """
    columns = sample("interactions", interactions, data_root)
    reasons = [f"Read the first {len(columns[0].texts):,} rows of {interactions}."]
    if len(columns[0].texts) == SAMPLED_ROWS:
        reasons.append("Later rows may contain other faults: `run` checks all rows.")
    query = _column(hints.query_id, columns) or roles.find_query_id(columns, hints.names)
    candidate = _column(hints.candidate_id, columns) or roles.find_candidate_id(columns, [*hints.names, query.name])
    time = _column(hints.timestamp, columns) or roles.find_time(columns, [query.name, candidate.name])
    id_and_time = [query.name, candidate.name, time.name]
    reasons.append(
        f"{query.name} is the query (it gets recommendations), {candidate.name} the candidate (it is recommended), "
        f"{time.name} the time."
    )
    basket = roles.find_basket(columns, id_and_time)
    dirt = roles.find_dirt(columns, query, candidate, time, basket)
    section: dict[str, Any] = {"path": interactions, "query_id": query.name, "candidate_id": candidate.name}
    section["timestamp"] = time.name
    row_filter = " and ".join(condition for condition, _ in dirt) or None
    if row_filter:
        section["filter"] = row_filter
        reasons += [f"Filter `{condition}`: {reason}." for condition, reason in dirt]
    events = roles.find_events(columns, id_and_time)
    if events:
        section["weight"] = {"column": events[0].name, "values": events[1]}
        reasons.append(f"{events[0].name} is the interaction's type; its weights are a guess: {events[1]}.")
    repeats = _repeated_share(query, candidate)
    if repeats > 0.1 and not events:
        section["repeats"] = "first"
        reasons.append(
            f"Repeats `first`: {repeats:.0%} of the rows repeat an earlier pair of query and candidate, and "
            "recommendations never include seen items."
        )
    other_roles = [column.name for column in (basket, events and events[0]) if column]
    rest = [column for column in columns if column.name not in {*id_and_time, *other_roles}]
    tables = {"interactions": TableGuess(section, {}, {})}
    if candidates:
        tables["candidates"] = _table_of_file("candidates", candidates, candidate, data_root)
    else:
        tables["candidates"] = _table_of_log("candidates", section, candidate, query, rest)
        reasons.append(
            f"No catalogue was given: it is every {candidate.name} of the log, with features from its first row."
        )
    if queries:
        tables["queries"] = _table_of_file("queries", queries, query, data_root)
    else:
        guess = _table_of_log("queries", section, query, candidate, rest)
        if guess.types:
            tables["queries"] = guess
            reasons.append(f"Features of a query, from its first row in the log: {', '.join(guess.types)}.")
    corpus_size = len(candidate.counts)
    if corpus_size > _MAX_CORPUS_LOSS:
        reasons.append(f"More than {_MAX_CORPUS_LOSS:,} candidates: trained with in-batch negatives.")
    return Guess(tables, _split(query, time, basket, reasons), corpus_size > _MAX_CORPUS_LOSS, reasons)


def _split(query: InferredColumn, time: InferredColumn, basket: InferredColumn | None, reasons: list[str]) -> str:
    """Returns the kind of the split, and adds its reason to `reasons`."""
    ties = _tied_share(query, time)
    if not basket and ties <= 0.5:
        reasons.append(f"Split leave_last_out: {ties:.0%} of the rows share query and time with another.")
        return "leave_last_out"
    reason = "most rows share their time with another"
    if basket:
        reason = f"{basket.name} groups items that were bought together"
    reasons.append(f"Split leave_last_basket: {reason}; items of a basket are not history for its other items.")
    reasons.append(
        "train.basket_mates and model.query_time: joint purchases and seasons improved metrics most on a shop's log; "
        "set them to 0 and null to measure their effect on your data."
    )
    return "leave_last_basket"


def _column(name: str | None, columns: Sequence[InferredColumn]) -> InferredColumn | None:
    """Returns the column that a hint names; None without a hint."""
    if name is None:
        return None
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise ConfigError.from_parts("", f"a column {name!r}", ", ".join(column.name for column in columns))
    return found


def _table_of_file(kind: Kind, path: str, own: InferredColumn, data_root: str | os.PathLike[str]) -> TableGuess:
    """Returns the guess about a table in a separate file; `own` is the log's column with its ids."""
    columns = sample(kind, path, data_root)
    key = _same_ids(columns, own)
    if key is None:
        names = ", ".join(column.name for column in columns)
        raise ConfigError.from_parts(path, f"a column with the ids of the log's {own.name}", names)
    section: dict[str, Any] = {"path": path, _ID_KEYS[kind]: key.name}
    if key.blanks:
        section["filter"] = f"{roles.quoted(key.name)} is not None"
    if len(key.counts) < len(key.present):
        section["duplicates"] = "first"
    return _with_features(section, [column for column in columns if column is not key])


def _table_of_log(
    kind: Kind, log: Mapping[str, Any], own: InferredColumn, other: InferredColumn, columns: Iterable[InferredColumn]
) -> TableGuess:
    """Returns the guess about a table made from the log's rows.

    Its features are the columns that the id determines, and determines better than the other id does.

    Args:
      kind: Candidates or queries.
      log: The log's section.
      own: The log's column with the table's ids.
      other: The log's column with the other ids.
      columns: Columns without another role.
    """
    section: dict[str, Any] = {"path": log["path"], _ID_KEYS[kind]: own.name, "duplicates": "first"}
    if "filter" in log:
        section["filter"] = log["filter"]
    own_columns = []
    for column in columns:
        if roles.is_amount(column):
            continue
        agreement = consistency(column, own)
        if len(column.counts) > 1 and agreement >= _MIN_CONSISTENCY and agreement > consistency(column, other):
            own_columns.append(column)
    return _with_features(section, own_columns)


def _with_features(section: dict[str, Any], columns: Iterable[InferredColumn]) -> TableGuess:
    features: dict[str, Any] = {}
    column_of: dict[str, InferredColumn] = {}
    feature_types: dict[str, FeatureType] = {}
    for column in columns:
        feature_type = column.feature_type()
        if feature_type is None or len(column.counts) < 2:
            continue
        name = _feature_name(column.name)
        while name in keys.RESERVED or name in features:
            name += "_"
        feature: dict[str, Any] = {"type": feature_type.value}
        if name != column.name:
            feature["column"] = column.name
        if feature_type is FeatureType.MULTI_CATEGORY and column.delimiter() not in (None, "|"):
            feature["delimiter"] = column.delimiter()
        features[name] = feature if len(feature) > 1 else feature_type.value
        column_of[name], feature_types[name] = column, feature_type
    if features:
        section["features"] = features
    return TableGuess(section, column_of, feature_types)


def _same_ids(columns: Sequence[InferredColumn], own: InferredColumn) -> InferredColumn | None:
    """Returns the column with the same ids: one with the same name, or else the one that has most of the ids."""
    for column in columns:
        if column.name.lower() == own.name.lower():
            return column
    ids = set(own.counts)
    shares = [(len(ids & set(column.counts)) / max(len(ids), 1), column) for column in columns]
    share, best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    return best if share > 0.5 else None


def _feature_name(column_name: str) -> str:
    words = [part.lower() for part in re.findall(r"[A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column_name))]
    name = "_".join(words)
    return name if re.match(r"[a-z]", name) else f"feature_{name}"


def _repeated_share(query: InferredColumn, candidate: InferredColumn) -> float:
    """Returns the share of rows that repeat an earlier pair of query and candidate."""
    pairs = collections.Counter(_pairs(query, candidate))
    rows = sum(pairs.values())
    return (rows - len(pairs)) / max(rows, 1)


def _tied_share(query: InferredColumn, time: InferredColumn) -> float:
    """Returns the share of rows whose query has another row with the same timestamp."""
    rows_at = collections.Counter(_pairs(query, time))
    return sum(count for count in rows_at.values() if count > 1) / max(sum(rows_at.values()), 1)


def _pairs(left: InferredColumn, right: InferredColumn) -> Iterator[tuple[str, str]]:
    for pair in zip(left.texts, right.texts, strict=True):
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]
