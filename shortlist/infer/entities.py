"""Guesses about the tables of candidates and of queries: their ids, and the columns that are features of them."""

from __future__ import annotations

import dataclasses
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.errors import ConfigError
from shortlist.infer import dirt, names
from shortlist.infer.columns import InferredColumn, consistency, determines
from shortlist.infer.tables import sample
from shortlist.infer.text_format import TextOptions
from shortlist.tables.spec import Kind

# Words in names of title columns, the clearest first.
_TITLE_WORDS = ("title", "name", "description", "headline")
_ID_KEYS: dict[Kind, str] = {"candidates": "candidate_id", "queries": "query_id"}
# A column with a value of its own for nearly every id is another name of the id.
_MAX_VALUES_PER_ID = 0.9


@dataclasses.dataclass(frozen=True)
class TableGuess:
    """Guess about one table: its section of the config, and its columns and types by feature name, for the schema."""

    section: Mapping[str, Any]
    columns: Mapping[str, InferredColumn]
    types: Mapping[str, FeatureType]
    estimated_rows: int | None = None
    """Number of rows of its file, see `TableSample.estimated_rows`; None for a table made from the log."""


def title_of(candidates: TableGuess) -> str | None:
    """Returns the feature that is most likely the title."""
    for word in _TITLE_WORDS:
        for name in candidates.types:
            if names.has_word(candidates.columns[name].name, (word,)):
                return name
    return None


def table_of_file(
    kind: Kind,
    path: str,
    own: InferredColumn,
    data_root: str | os.PathLike[str],
    text: TextOptions,
    conditions: Sequence[dirt.Condition],
    reasons: list[str],
) -> TableGuess:
    """Returns the guess about a table in a file of its own.

    Args:
      kind: Candidates or queries.
      path: Path as in the config.
      own: The log's column with the table's ids.
      data_root: Start of relative paths; may be a URI.
      text: Options of the text format that the user has given.
      conditions: The conditions of the log's filter; those on the form of candidate ids hold for a catalogue, too.
      reasons: The sentences on guesses, for more of them.

    Raises:
      ConfigError: No column has the log's ids, or the table has no row per id.
      DataError: The file is missing or cannot be read.
    """
    found = sample(kind, path, data_root, text, f"--{kind}-columns")
    reasons += found.reasons
    key = _same_ids(found.columns, own)
    if key is None:
        listed = ", ".join(f"{column.name} such as {next(iter(column.counts), '')!r}" for column in found.columns[:5])
        raise ConfigError.from_parts(
            path,
            f"a column with the ids of the log's {own.name}, such as {next(iter(own.counts))!r}",
            listed,
            "write ids the same way in both files, leading zeros and `.0` included",
        )
    section: dict[str, Any] = {"path": path, **found.options, _ID_KEYS[kind]: key.name}
    found_conditions = dirt.conditions_of_table(key, conditions if kind == "candidates" else ())
    if found_conditions:
        section["filter"] = " and ".join(condition.text for condition in found_conditions)
        reasons += [
            f"{path}: filter `{condition.text}`: {condition.reason}; it drops {sum(condition.drops):,} rows."
            for condition in found_conditions
        ]
    if _is_long_format(found.columns, key):
        raise ConfigError.from_parts(
            path,
            f"one row per {key.name}",
            f"{len(key.present) / len(key.counts):.0f} rows for each, with a property and its value",
            "write a column per property first, e.g. with pandas: "
            f'table.pivot_table(index="{key.name}", columns="property", values="value", aggfunc="first")',
        )
    if len(key.counts) < len(key.present):
        section["duplicates"] = "first"
        reasons.append(f"{path}: {len(key.present) - len(key.counts):,} rows repeat an id; the first row is used.")
    known = set(own.counts)
    missing = len(known - set(key.counts))
    if missing and found.is_whole:
        reasons.append(f"{path}: {missing:,} of the log's {len(known):,} {own.name} are not in it.")
    columns = [column for column in found.columns if column is not key]
    left_out = [(column.name, column.unsuitable()) for column in columns if column.unsuitable()]
    if left_out:
        listed = names.enumerated([f"{names.shown(name)} ({reason})" for name, reason in left_out])
        reasons.append(f"{path}: left out: {listed}.")
    return dataclasses.replace(_with_features(section, columns), estimated_rows=found.estimated_rows)


def table_of_log(
    kind: Kind,
    log: Mapping[str, Any],
    own: InferredColumn,
    other: InferredColumn,
    columns: Iterable[InferredColumn],
    basket: InferredColumn | None,
) -> TableGuess:
    """Returns the guess about a table made from the log's rows.

    Its features are the columns that the id determines, and determines better than the other id does. A column that
    differs between the rows of an id, such as the text of a review, belongs to the interaction.

    Args:
      kind: Candidates or queries.
      log: The log's section.
      own: The log's column with the table's ids.
      other: The log's column with the other ids.
      columns: Columns without another role.
      basket: The log's column of baskets or, without one, of times: rows of a query that share it count as one.
    """
    section: dict[str, Any] = {key: value for key, value in log.items() if key in _FILE_KEYS}
    section |= {_ID_KEYS[kind]: own.name, "duplicates": "first"}
    if "filter" in log:
        section["filter"] = log["filter"]
    own_columns = []
    for column in columns:
        # An order's status is the same in all of its rows, but belongs to the order.
        group = basket if kind == "queries" else None
        if dirt.is_amount(column) or names.has_word(column.name, names.RATING_WORDS):
            continue
        if not determines(own, column, group):
            continue
        if kind == "queries" and _is_of_a_person(column):
            continue
        is_alias = len(column.counts) > _MAX_VALUES_PER_ID * len(own.counts)
        if is_alias and (kind == "queries" or column.feature_type() is FeatureType.CATEGORY):
            continue
        if consistency(column, own) > consistency(column, other) or not determines(other, column):
            own_columns.append(column)
    return _with_features(section, own_columns)


_FILE_KEYS = ("path", "format", "delimiter", "header", "columns", "encoding", "decimal")


def _is_long_format(columns: Sequence[InferredColumn], key: InferredColumn) -> bool:
    """Returns whether a table has a row per id and property instead of a column per property."""
    words = {word for column in columns for word in names.words_of(column.name)}
    is_named = bool(words & {"property", "attribute", "key", "feature"}) and "value" in words
    return is_named and len(key.present) > 1.5 * len(key.counts)


def _is_of_a_person(column: InferredColumn) -> bool:
    """Returns whether a column has names, addresses or other ids of people, which are no features."""
    is_id = names.rank_of(column.name, names.PERSON_WORDS) is not None and names.is_id_name(column.name)
    return is_id or names.has_word(column.name, names.PERSONAL_WORDS)


def _with_features(section: dict[str, Any], columns: Iterable[InferredColumn]) -> TableGuess:
    features: dict[str, Any] = {}
    column_of: dict[str, InferredColumn] = {}
    feature_types: dict[str, FeatureType] = {}
    taken = set(keys.RESERVED | keys.RESERVED_FOR_INPUTS | keys.RESERVED_FOR_QUERIES)
    for column in columns:
        feature_type = column.feature_type()
        if feature_type is None:
            continue
        name = _feature_name(column.name)
        # Names of a table may not differ in case alone.
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
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
    ids = set(own.counts)
    shares = [(len(ids & set(column.counts)) / max(len(ids), 1), column) for column in columns]
    for share, column in shares:
        if column.name.lower() == own.name.lower() and share > 0:
            return column
    share, best = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    if share > 0.5:
        return best
    return next((column for column in columns if column.name.lower() == own.name.lower()), None)


def _feature_name(column_name: str) -> str:
    # Without accents: `preço` is `preco`.
    plain = unicodedata.normalize("NFKD", column_name).encode("ascii", "ignore").decode()
    words = [part.lower() for part in re.findall(r"[A-Za-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain))]
    # At most 100 characters, with what is added here and by the caller.
    name = "_".join(words)[:80]
    is_free = re.match(r"[a-z]", name) and not name.startswith(keys.RESERVED_PREFIXES)
    return name if is_free else f"feature_{name}"
