"""Lookup of single queries and titles in the input tables, row by row."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from shortlist import keys
from shortlist.config.data import Data
from shortlist.config.table import Interactions, Queries, Table
from shortlist.errors import DataError
from shortlist.tables import preflight
from shortlist.tables.readers import open_table, parsed_rows
from shortlist.tables.spec import Kind, Unit, table_spec


@dataclasses.dataclass(frozen=True)
class Query:
    """Input of the model's query side."""

    query_id: str | None
    history: list[tuple[str, int]]
    """(candidate id, timestamp), oldest first; timestamp 0 means unknown."""
    features: dict[str, Any]

    @classmethod
    def from_history(cls, candidate_ids: Iterable[str]) -> Query:
        """Returns an anonymous query with this history, oldest first."""
        return cls(None, [(candidate_id, 0) for candidate_id in candidate_ids], {})


def find_query(data: Data, data_root: pathlib.Path, query_id: str) -> Query:
    """Returns a query of the log with its whole history, in the pipeline's order.

    Raises:
      DataError: The log has no such query.
    """
    interactions = []
    for position, row in _rows("interactions", data.interactions, data_root):
        if row[keys.QUERY_ID] == [query_id]:
            time, nanos = (int((row.get(name) or [0])[0]) for name in (keys.TIMESTAMP, keys.TIMESTAMP_NANOS))
            interactions.append((time, nanos, position, str(row[keys.CANDIDATE_ID][0])))
    if not interactions:
        raise DataError(
            f"{data.interactions.path}, column {data.interactions.query_id!r}: no row has the query {query_id!r}; "
            "use an id from this file, or --history"
        )
    history = [(candidate_id, time) for time, _, _, candidate_id in sorted(interactions)]
    return Query(query_id, history, _features(data.queries, data_root, query_id))


def candidate_titles(data: Data, data_root: pathlib.Path) -> dict[str, str | None]:
    """Returns the title of every candidate by id; None for a candidate or a config without titles."""
    titles: dict[str, str | None] = {}
    for _, row in _rows("candidates", data.candidates, data_root):
        values = row.get(data.candidates.title or "")
        candidate_id = str(row[keys.CANDIDATE_ID][0])
        titles[candidate_id] = str(values[0]) if values else None
    return titles


def _features(queries: Queries | None, data_root: pathlib.Path, query_id: str) -> dict[str, Any]:
    if queries is None:
        return {}
    for _, row in _rows("queries", queries, data_root):
        if row[keys.QUERY_ID] == [query_id]:
            return {name: list(row[name]) for name in queries.features}
    return {}


def _rows(kind: Kind, table: Table, data_root: pathlib.Path) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """Yields ((path relative to the data root, row number), values by feature name)."""
    last_spans = None
    unit: Unit = "order"
    if isinstance(table, Interactions):
        last_spans, unit = table.last_spans, preflight.timestamp_unit(table, data_root)
    spec = table_spec(kind, table, unit)
    for input_file in preflight.existing_files(kind, table.path, data_root, last_spans):
        with contextlib.closing(input_file.open()) as file:
            for row_number, row in parsed_rows(open_table(file, spec, input_file.name), spec):
                yield (input_file.name, row_number), dict(row)
