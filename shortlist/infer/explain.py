"""Sentences on guesses, for the terminal and the head of the written config."""

from __future__ import annotations

from shortlist.config.features import FeatureType
from shortlist.infer import entities, names
from shortlist.infer.columns import InferredColumn
from shortlist.infer.entities import TableGuess
from shortlist.infer.time_readings import TimeReading

_ID_KEYS = {"candidates": "candidate_id", "queries": "query_id"}
# A category or a vector says which items are alike.
_WEAK_TYPES = frozenset({FeatureType.TEXT, FeatureType.NUMERIC, FeatureType.TIMESTAMP})


def query_reason(query: InferredColumn, is_given: bool) -> str:
    """Returns the reason for the column of queries."""
    why = "--query-id names it" if is_given else "its name is that of a person or session"
    return f"{query.name} is the query (it gets recommendations): {why}, {_per_value(query)}."


def candidate_reason(candidate: InferredColumn, is_given: bool) -> str:
    """Returns the reason for the column of candidates."""
    why = "--candidate-id names it" if is_given else "its name is that of an item"
    return f"{candidate.name} is the candidate (it is recommended): {why}, {_per_value(candidate)}."


def time_reason(time: TimeReading | None, order: str, is_given: bool) -> str:
    """Returns the reason for the order of a log.

    Args:
      time: The column of times; None without one.
      order: `time`, `row` or `none`.
      is_given: Whether the user has named it.
    """
    if time is None:
        return "The order of rows is the time: --timestamp row." if order == "row" else "No times: --timestamp none."
    kind = {"order": "its cells are order numbers"}.get(time.kind, "its cells are times")
    why = "--timestamp names it" if is_given else kind
    return f"{time.column.name} is the time: {why}, such as {next(iter(time.column.counts), '')!r}."


def table_reason(kind: str, path: str, table: TableGuess) -> str:
    """Returns the guess about a table in a file of its own: id, title and features."""
    features = [f"{name} ({feature_type.value}){_origin(table, name)}" for name, feature_type in table.types.items()]
    title = entities.title_of(table) if kind == "candidates" else None
    parts = [f"{names.shown(table.section[_ID_KEYS[kind]])} is the id"]
    if kind == "candidates":
        parts.append(f"{title} the title" if title else "no column is a title")
    parts.append(f"features: {names.enumerated(features)}" if features else "no column is a feature")
    return f"{path}: {'; '.join(parts)}."


def new_items_reason(candidates: TableGuess) -> str | None:
    """Returns why the gate on new items should only warn; None if it should stop a push.

    New items are recommended by their features alone. A text of their own and a number hardly say which ones are liked
    by the same people. Without any feature, the gate is not judged.
    """
    types = candidates.types
    if not types or not set(types.values()) <= _WEAK_TYPES:
        return None
    listed = names.enumerated([f"{name} ({feature_type.value})" for name, feature_type in types.items()])
    return (
        f"The gate `new items` only warns: no feature of the candidates is a category, only {listed}, and new items "
        "are recommended by features alone. Remove `action: warn` after adding a category, such as a brand."
    )


def _origin(table: TableGuess, name: str) -> str:
    column = table.columns[name].name
    return "" if column == name else f" from {names.shown(column)}"


def _per_value(column: InferredColumn) -> str:
    return f"{len(column.counts):,} values in {len(column.present):,} rows"
