"""From sampled columns to a guess of every table, with the reason for each part."""

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
# A column belongs to an id where rows with that id nearly always agree on it.
_BELONGS = 0.9
# More candidates than this are trained with in-batch negatives.
_MAX_CORPUS_LOSS = 20_000


@dataclasses.dataclass(frozen=True)
class Hints:
    """What the user says rather than leaves to guess."""

    query_id: str | None = None
    candidate_id: str | None = None
    timestamp: str | None = None


@dataclasses.dataclass(frozen=True)
class TableGuess:
    """One table: its part of the config, and its columns by feature name, for the schema."""

    section: Mapping[str, Any]
    columns: Mapping[str, InferredColumn]
    types: Mapping[str, FeatureType]


@dataclasses.dataclass(frozen=True)
class Guess:
    """A whole first config, in parts."""

    tables: Mapping[str, TableGuess]
    split: str
    many_candidates: bool
    """Too many for a softmax over all of them."""
    reasons: Sequence[str]
    """What was guessed and why, a sentence each."""


def guess_config(
    interactions: str,
    candidates: str | None,
    queries: str | None,
    data_root: str | os.PathLike[str],
    hints: Hints,
) -> Guess:
    """Looks at the first rows of each table and guesses what everything means.

    Args:
      interactions: Path of the log, as a config would have it.
      candidates: Path of the catalogue; made from the log where there is none.
      queries: Path of what is known of the queries; made from the log where there is none and the log tells something.
      data_root: Where relative paths start.
      hints: Columns that the user named.

    Raises:
      ConfigError: A role has no column, or two.
      DataError: A file is missing or cannot be read.
    """
    columns = sample("interactions", interactions, data_root)
    reasons = [f"Looked at the first {len(columns[0].texts):,} rows of {interactions}."]
    if len(columns[0].texts) == SAMPLED_ROWS:
        reasons.append("Rows after these may hold what these do not: `run` checks all of them.")
    query = _named(hints.query_id, columns) or roles.find_query_id(columns, _given(hints))
    candidate = _named(hints.candidate_id, columns) or roles.find_candidate_id(columns, [*_given(hints), query.name])
    time = _named(hints.timestamp, columns) or roles.find_time(columns, [query.name, candidate.name])
    taken = [query.name, candidate.name, time.name]
    reasons.append(
        f"{query.name} is the query (who gets recommendations), {candidate.name} the candidate (what is recommended), "
        f"{time.name} the time."
    )
    basket = roles.find_basket(columns, taken)
    dirt = roles.find_dirt(columns, query, candidate, time, basket)
    section: dict[str, Any] = {"path": interactions, "query_id": query.name, "candidate_id": candidate.name}
    section["timestamp"] = time.name
    row_filter = " and ".join(condition for condition, _ in dirt) or None
    if row_filter:
        section["filter"] = row_filter
        reasons += [f"Filter `{condition}`: {why}." for condition, why in dirt]
    events = roles.find_events(columns, taken)
    if events:
        section["weight"] = {"column": events[0].name, "values": events[1]}
        reasons.append(f"{events[0].name} is the interaction's type; its weights are a guess: {events[1]}.")
    repeats = _repeated(query, candidate)
    if repeats > 0.1 and not events:
        section["repeats"] = "first"
        reasons.append(
            f"Repeats `first`: {repeats:.0%} of the rows are a pair of query and candidate that was there before, and "
            "answers never name what the query has already met."
        )
    used = {*taken, *([basket.name] if basket else []), *([events[0].name] if events else [])}
    rest = [column for column in columns if column.name not in used]
    tables = {"interactions": TableGuess(section, {}, {})}
    if candidates:
        tables["candidates"] = _table_of_file("candidates", candidates, candidate, data_root)
    else:
        tables["candidates"] = _table_of_log("candidates", section, candidate, query, rest)
        reasons.append(f"No catalogue was given: it is every {candidate.name} of the log, described by its first row.")
    if queries:
        tables["queries"] = _table_of_file("queries", queries, query, data_root)
    else:
        described = _table_of_log("queries", section, query, candidate, rest)
        if described.types:
            tables["queries"] = described
            reasons.append(f"{', '.join(described.types)} of a query: as its first row in the log has it.")
    corpus = len(candidate.counts)
    if corpus > _MAX_CORPUS_LOSS:
        reasons.append(f"More than {_MAX_CORPUS_LOSS:,} candidates: trained with in-batch negatives.")
    return Guess(tables, _split(query, time, basket, reasons), corpus > _MAX_CORPUS_LOSS, reasons)


def _split(query: InferredColumn, time: InferredColumn, basket: InferredColumn | None, reasons: list[str]) -> str:
    tied = _tied(query, time)
    if basket or tied > 0.5:
        why = f"{basket.name} groups what was bought at once" if basket else "most rows share their time with another"
        reasons.append(f"Split leave_last_basket: {why}; what lies in one basket is no history for the rest of it.")
        reasons.append(
            "train.basket_mates and model.query_time: what is bought together and what is in season told most on a "
            "shop's log; set them to 0 and null to see what they do on yours."
        )
        return "leave_last_basket"
    reasons.append(f"Split leave_last_out: {tied:.0%} of the rows share query and time with another.")
    return "leave_last_out"


def _given(hints: Hints) -> list[str]:
    return [name for name in dataclasses.astuple(hints) if name]


def _named(name: str | None, columns: Sequence[InferredColumn]) -> InferredColumn | None:
    if name is None:
        return None
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise ConfigError.from_parts("", f"a column {name!r}", ", ".join(column.name for column in columns))
    return found


def _table_of_file(kind: Kind, path: str, own: InferredColumn, data_root: str | os.PathLike[str]) -> TableGuess:
    """Guesses a table that has a file of its own."""
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
    return _described(section, [column for column in columns if column is not key])


def _table_of_log(
    kind: Kind, log: Mapping[str, Any], own: InferredColumn, other: InferredColumn, columns: Iterable[InferredColumn]
) -> TableGuess:
    """Guesses a table made of the log's own rows: the columns that `own` decides, and `other` does not as well."""
    section: dict[str, Any] = {"path": log["path"], _ID_KEYS[kind]: own.name, "duplicates": "first"}
    if "filter" in log:
        section["filter"] = log["filter"]
    belonging = []
    for column in columns:
        if roles.is_amount(column):
            continue
        agreement = consistency(column, own)
        if len(column.counts) > 1 and agreement >= _BELONGS and agreement > consistency(column, other):
            belonging.append(column)
    return _described(section, belonging)


def _described(section: dict[str, Any], columns: Iterable[InferredColumn]) -> TableGuess:
    features: dict[str, Any] = {}
    found: dict[str, InferredColumn] = {}
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
        found[name], feature_types[name] = column, feature_type
    if features:
        section["features"] = features
    return TableGuess(section, found, feature_types)


def _same_ids(columns: Sequence[InferredColumn], own: InferredColumn) -> InferredColumn | None:
    """Returns the column that holds the same ids, by its name or by its values."""
    named = next((column for column in columns if column.name.lower() == own.name.lower()), None)
    if named is not None:
        return named
    ids = set(own.counts)
    shared = [(len(ids & set(column.counts)) / max(len(ids), 1), column) for column in columns]
    share, best = max(shared, key=lambda pair: pair[0], default=(0.0, None))
    return best if share > 0.5 else None


def _feature_name(column_name: str) -> str:
    words = [part.lower() for part in re.findall(r"[A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column_name))]
    name = "_".join(words)
    return name if re.match(r"[a-z]", name) else f"feature_{name}"


def _repeated(query: InferredColumn, candidate: InferredColumn) -> float:
    """Returns the share of rows whose query met their candidate in an earlier row."""
    pairs = collections.Counter(_pairs(query, candidate))
    rows = sum(pairs.values())
    return 1.0 - len(pairs) / rows if rows else 0.0


def _tied(query: InferredColumn, time: InferredColumn) -> float:
    """Returns the share of rows whose query has another row at the same time."""
    at = collections.Counter(_pairs(query, time))
    rows = sum(at.values())
    return sum(count for count in at.values() if count > 1) / rows if rows else 0.0


def _pairs(left: InferredColumn, right: InferredColumn) -> Iterator[tuple[str, str]]:
    for pair in zip(left.texts, right.texts, strict=True):
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]
