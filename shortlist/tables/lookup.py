"""Lookup of single queries and titles in the input tables, with the rows that the pipeline keeps."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Container, Iterable, Iterator
from typing import Any

from shortlist import keys, splits
from shortlist.config.data import Data
from shortlist.config.table import Queries
from shortlist.errors import DataError
from shortlist.tables import readers
from shortlist.tables.as_of import LogTimes
from shortlist.tables.input_table import SAMPLED_ROWS, InputTable
from shortlist.tables.spec import Unit


@dataclasses.dataclass(frozen=True)
class Query:
    """Input of the model's query side."""

    query_id: str | None
    history: list[tuple[str, int]]
    """(candidate id, timestamp), oldest first; timestamp 0 means unknown."""
    features: dict[str, Any]
    item_features: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    """Values of the history's items by name of the log's feature; None where an item lacks one."""
    is_known: bool = True
    """Whether the log has the query."""
    not_in_catalogue: tuple[str, ...] = ()
    """Candidates of the query's rows that the catalogue lacks, sorted. The history does not contain them."""
    rows_from_then_on: int = 0
    """Number of the query's rows at or after the time that the history was asked for."""

    def features_of_items(self, names: Iterable[str]) -> dict[str, list[Any]]:
        """Returns some of `item_features`; a feature that the log lacks is missing."""
        return {name: self.item_features.get(name, []) for name in names}


class Log:
    """The interaction log, read row by row."""

    def __init__(self, data: Data, data_root: pathlib.Path) -> None:
        """Finds the log's files.

        Raises:
          DataError: There are no files, a file lacks a column, or the files have different units of time.
        """
        self._data = data
        self._data_root = data_root
        self._table = InputTable.of("interactions", data.interactions, data_root)

    @property
    def unit(self) -> Unit:
        """Unit of the timestamps; `order` without timestamps."""
        return self._table.unit

    @property
    def time_format(self) -> str | None:
        """Format of the timestamps for `datetime.strptime`, if the config has one."""
        return self._data.interactions.timestamp_format

    @property
    def has_times(self) -> bool:
        """Whether the log has a column of timestamps."""
        return self._data.interactions.timestamp is not None

    def times(self) -> LogTimes:
        """Returns the unit and the newest time."""
        if not self.has_times:
            return LogTimes(self.unit, None)
        # The other columns are not read, which takes half as long.
        spec = dataclasses.replace(self._table.spec, columns=(self._table.spec.column(keys.TIMESTAMP),))
        rows = _rows(dataclasses.replace(self._table, spec=spec))
        return LogTimes(self.unit, max((int(row[keys.TIMESTAMP][0]) for _, row in rows), default=None))

    @property
    def size(self) -> int:
        """Bytes of the log's files."""
        return sum(file.size for file in self._table.files)

    def interactions(self) -> Iterator[tuple[str, splits.Interaction]]:
        """Yields the query id and the interaction of each row that passes `filter`, in the order of the files."""
        names = list(self._data.interactions.features)
        for (name, row_number), row in _rows(self._table):
            yield str(row[keys.QUERY_ID][0]), _interaction(name, row_number, row, names)

    def find(self, query_id: str, candidate_ids: Container[str], before: int | None = None) -> tuple[Query, LogTimes]:
        """Returns a query with its history, and the times of the log.

        The history has the same rows in the same order as the Windows node: rows of the catalogue's candidates, after
        `filter`, `repeats` and `max_interactions_per_query`. Rows of weight 0 are history.

        Args:
          query_id: The query's id. An unknown one has no history.
          candidate_ids: Ids of the catalogue.
          before: Only rows with earlier timestamps are history; all by default.
        """
        names = list(self._data.interactions.features)
        interactions, missing = [], set()
        is_known, later, newest = False, 0, None
        for (name, row_number), row in _rows(self._table):
            seconds = int((row.get(keys.TIMESTAMP) or [0])[0])
            newest = seconds if newest is None else max(newest, seconds)
            if row[keys.QUERY_ID] != [query_id]:
                continue
            is_known = True
            candidate_id = str(row[keys.CANDIDATE_ID][0])
            if candidate_id not in candidate_ids:
                missing.add(candidate_id)
            elif before is not None and seconds >= before:
                later += 1
            else:
                interactions.append(_interaction(name, row_number, row, names))
        kept = splits.drop_repeats(interactions, self._data.interactions.repeats)
        latest = kept[-self._data.max_interactions_per_query :]
        history = [(row.candidate_id.decode(), row.timestamp) for row in latest]
        features = _features(self._data.queries, self._data_root, query_id)
        of_items = {feature: [row.features[index] for row in latest] for index, feature in enumerate(names)}
        query = Query(query_id, history, features, of_items, is_known, tuple(sorted(missing)), later)
        return query, LogTimes(self.unit, newest if self.has_times else None)


def example_query(data: Data, data_root: pathlib.Path) -> str | None:
    """Returns the id of a query among the log's first rows that can be printed as it is; None if there is none."""
    try:
        table = InputTable.of("interactions", data.interactions, data_root)
        for _, row in itertools.islice(_rows(table), SAMPLED_ROWS):
            query_id = str(row[keys.QUERY_ID][0])
            if query_id.isprintable():
                return query_id
    except DataError:
        # The files may have changed since the run read them.
        pass
    return None


def candidate_titles(data: Data, data_root: pathlib.Path) -> dict[str, str | None]:
    """Returns the title of every candidate by id; None for a candidate or a config without titles."""
    titles: dict[str, str | None] = {}
    for _, row in _rows(InputTable.of("candidates", data.candidates, data_root)):
        candidate_id = str(row[keys.CANDIDATE_ID][0])
        if candidate_id in titles and data.candidates.duplicates != "last":
            continue
        values = row.get(data.candidates.title or "")
        titles[candidate_id] = str(values[0]) if values else None
    return titles


def query_features(queries: Queries, data_root: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the id and the features by name of each row of the queries table; see `Queries.duplicates`."""
    for _, row in _rows(InputTable.of("queries", queries, data_root)):
        yield str(row[keys.QUERY_ID][0]), {name: list(row[name]) for name in queries.features}


def size_of_queries(queries: Queries, data_root: pathlib.Path) -> int:
    """Returns the bytes of the queries table's files.

    Raises:
      DataError: There are no files.
    """
    return sum(file.size for file in InputTable.of("queries", queries, data_root).files)


def _features(queries: Queries | None, data_root: pathlib.Path, query_id: str) -> dict[str, Any]:
    """Returns the values of a query's features by name; empty if the table has no such query."""
    if queries is None:
        return {}
    found: dict[str, Any] = {}
    for query, features in query_features(queries, data_root):
        if query == query_id:
            found = features
            if queries.duplicates != "last":
                break
    return found


def _interaction(name: str, row_number: int, row: dict[str, Any], features: list[str]) -> splits.Interaction:
    """Returns a row of the log, with its features in the order of their names."""
    return splits.Interaction(
        timestamp=int((row.get(keys.TIMESTAMP) or [0])[0]),
        nanos=int((row.get(keys.TIMESTAMP_NANOS) or [0])[0]),
        source_path=name.encode(),
        source_row=row_number,
        candidate_id=str(row[keys.CANDIDATE_ID][0]).encode(),
        weight=float((row.get(keys.WEIGHT) or [1.0])[0]),
        features=tuple(next(iter(row.get(feature) or ()), None) for feature in features),
    )


def _rows(table: InputTable) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """Yields ((path relative to the data root, row number), values by feature name), in the pipeline's order."""
    for file in table.files:
        with table.opened(file) as reader:
            for row_number, row in readers.parsed_rows(reader, table.spec):
                yield (file.name, row_number), dict(row)
