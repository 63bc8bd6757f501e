"""The Beam combiners and DoFns of the Windows node; `beam` joins them into a graph.

The cores (`splits`, `windowing`) make every decision on a single query. Faults in
the data are emitted under `PROBLEMS`, not raised: Beam's runner wraps an exception
of a step in its own, so that its type is lost.
"""

# ruff: noqa: D102  the methods are Beam's
# No `from __future__ import annotations` here: Beam reads the hints at run time.

import collections
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from tensorflow_metadata.proto.v0 import schema_pb2

from components import shards
from components.windows import decode, records, schema, stats, times, windowing
from components.windows.windows_config import WindowsConfig
from shortlist import keys, splits
from shortlist.config.features import Feature
from shortlist.process import progress

COUNTS = "counts"
PROBLEMS = "problems"
UNKNOWN = "unknown"

_LOCATION = {keys.SOURCE_PATH: schema_pb2.BYTES, keys.SOURCE_ROW: schema_pb2.INT}
_INTERACTION = {
    keys.QUERY_ID: schema_pb2.BYTES,
    keys.CANDIDATE_ID: schema_pb2.BYTES,
    keys.TIMESTAMP: schema_pb2.INT,
    keys.TIMESTAMP_NANOS: schema_pb2.INT,
    keys.WEIGHT: schema_pb2.FLOAT,
    **_LOCATION,
}
_CANDIDATE_ID = splits.Interaction._fields.index("candidate_id")
# Extra places between two trims of the tails. Without it, a small log's tails would be sorted after every query.
_TAILS_SLACK = 10_000


class KeepFn(beam.CombineFn):
    """Keeps the `size` greatest (or smallest) distinct values, sorted.

    A combiner also runs before the shuffle: for a key with a billion values, only
    `size` values per bundle are sent.
    """

    def __init__(self, size: int, latest: bool):
        self._size = size
        self._latest = latest

    def create_accumulator(self) -> list[Any]:
        return []

    def add_input(self, values: list[Any], value: Any) -> list[Any]:
        values.append(value)
        # Trimmed at twice the size, so that a sort is paid once per `size` values.
        if len(values) < 2 * self._size:
            return values
        return self._trim(values)

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        merged: list[Any] = []
        for values in accumulators:
            merged = self._trim(merged + values)
        return merged

    def extract_output(self, values: list[Any]) -> list[Any]:
        return self._trim(values)

    def _trim(self, values: list[Any]) -> list[Any]:
        distinct = sorted(set(values))
        if self._latest:
            return distinct[-self._size :]
        return distinct[: self._size]


class CollectFn(beam.CombineFn):
    """Collects all values into one frozenset."""

    def create_accumulator(self) -> set[Any]:
        return set()

    def add_input(self, seen: set[Any], value: Any) -> set[Any]:
        seen.add(value)
        return seen

    def merge_accumulators(self, accumulators: Iterable[set[Any]]) -> set[Any]:
        return set().union(*accumulators)

    def extract_output(self, seen: set[Any]) -> frozenset[Any]:
        return frozenset(seen)


class HistogramFn(beam.CombineFn):
    """Counts row keys by `splits.key_bucket`; each value is the list of one query's row keys."""

    def create_accumulator(self) -> collections.Counter[int]:
        return collections.Counter()

    def add_input(self, histogram: collections.Counter[int], row_keys: list[bytes]) -> collections.Counter[int]:
        histogram.update(map(splits.key_bucket, row_keys))
        return histogram

    def merge_accumulators(self, accumulators: Iterable[collections.Counter[int]]) -> collections.Counter[int]:
        return sum(accumulators, collections.Counter())

    def extract_output(self, histogram: collections.Counter[int]) -> dict[int, int]:
        return dict(histogram)


class TimeTailsFn(beam.CombineFn):
    """Keeps the earliest and the latest rows of the log.

    Each value is a pair: `times.tail_size` of all rows, and the fields of the locations of one query's rows.
    The size is part of each value, since a combiner with a side input does not run before the shuffle.
    """

    def create_accumulator(self) -> tuple[int, list[Any], list[Any]]:
        return 0, [], []

    def add_input(self, tails: Any, value: Any) -> Any:
        size, locations = value
        _, first, last = tails
        first += locations
        last += locations
        if len(first) < 2 * size + _TAILS_SLACK:
            return size, first, last
        return self._trim(size, first, last)

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        merged: Any = self.create_accumulator()
        for size, first, last in accumulators:
            merged = self._trim(max(size, merged[0]), merged[1] + first, merged[2] + last)
        return merged

    def extract_output(self, tails: Any) -> times.IsolatedTimes | None:
        size, *ends = self._trim(*tails)
        if not size:
            return None
        return times.find_isolated(*([times.RowLocation(*location) for location in end] for end in ends))

    def _trim(self, size: int, first: list[Any], last: list[Any]) -> Any:
        return size, sorted(first)[:size], sorted(last)[-size:]


class ParseInteractionFn(beam.DoFn):
    """Serialized flat interactions -> (query_id, `splits.Interaction` as a plain tuple) of each.

    `features` are the names and types of the rows' features to keep.
    """

    def __init__(self, has_timestamps: bool, features: tuple[tuple[str, Feature], ...] = ()):
        self._required = [keys.QUERY_ID, keys.CANDIDATE_ID]
        if has_timestamps:
            self._required.append(keys.TIMESTAMP)
        self._features = {name: schema.kind_of(feature) for name, feature in features}

    def setup(self) -> None:
        self._decoder = decode.Decoder({**_INTERACTION, **self._features})

    def process(self, serialized: list[bytes]) -> Iterable[Any]:
        columns = self._decoder.decode(serialized)
        progress.count(len(serialized), "interactions")
        row_features = self._row_features(columns, len(serialized))
        located = zip(*(columns[name] for name in _INTERACTION), strict=True)
        for values, features in zip(located, row_features, strict=True):
            query_id, candidate_id, timestamp, nanos, weight, path, row = values
            path, row = path or b"", row or 0
            # An empty id is a missing one.
            if query_id and candidate_id and (timestamp is not None or keys.TIMESTAMP not in self._required):
                weight = 1.0 if weight is None else weight
                yield query_id, (timestamp or 0, nanos or 0, path, row, candidate_id, weight, features)
            else:
                found = dict(zip(_INTERACTION, values, strict=True))
                missing = next(name for name in self._required if found[name] in (None, b""))
                yield beam.pvalue.TaggedOutput(PROBLEMS, ("missing value", _missing_value(missing, path, row)))

    def _row_features(self, columns: dict[str, list[Any]], number: int) -> Iterable[tuple[Any, ...]]:
        if not self._features:
            return itertools.repeat((), number)
        filled = (
            [schema.MISSING[kind] if value is None else value for value in columns[name]]
            for name, kind in self._features.items()
        )
        return zip(*filled, strict=True)


class ParseKeyedFn(beam.DoFn):
    """Serialized flat candidates or queries -> (id, (source_path, source_row, serialized or b"")) of each."""

    def __init__(self, id_name: str, keep_features: bool):
        self._id_name = id_name
        self._keep_features = keep_features

    def setup(self) -> None:
        self._decoder = decode.Decoder({self._id_name: schema_pb2.BYTES, **_LOCATION})

    def process(self, serialized: list[bytes]) -> Iterable[Any]:
        columns = self._decoder.decode(serialized)
        located = zip(*(columns[name] for name in (self._id_name, *_LOCATION)), serialized, strict=True)
        for key, path, row, example in located:
            path, row = path or b"", row or 0
            if key:
                yield key, (path, row, example if self._keep_features else b"")
            else:
                yield beam.pvalue.TaggedOutput(PROBLEMS, ("missing value", _missing_value(self._id_name, path, row)))


class PlanQueryFn(beam.DoFn):
    """One query's joined rows -> ((split, shard), (query_id, position, serialized window))."""

    def __init__(self, config: str, feature_types: dict[str, int], has_queries: bool):
        self._config_json = config
        self._feature_types = feature_types
        self._has_queries = has_queries

    def setup(self) -> None:
        self._config = WindowsConfig.model_validate_json(self._config_json)

    def process(self, element: Any, num_shards: Any, cuts: Any) -> Iterable[Any]:
        query_id, tables = element
        rows = [splits.Interaction(*row) for group in tables["interactions"] for row in group]
        query_rows = [row for group in tables["queries"] for row in group]
        if not rows:
            # A row of the queries table alone: there is nothing to predict.
            yield beam.pvalue.TaggedOutput(COUNTS, (stats.QUERY_WITHOUT_INTERACTIONS, 1))
            return
        split = self._config.split
        if self._config.everything_is_train:
            names = [keys.SPLIT_TRAIN] * len(rows)
        else:
            names = splits.assign_splits(rows, split, cuts)
        counts = stats.count_query(rows, names)
        counts[stats.QUERIES_WITHOUT_FEATURES] += self._has_queries and not query_rows
        shard = records.shard_of(query_id, num_shards)
        query_row = query_rows[0][2] if query_rows else None
        for window in windowing.iter_windows(rows, names, split, self._config.windows):
            counts.update(stats.count_window(window))
            record = records.encode(query_id, window, query_row, self._feature_types, self._config.features)
            yield (window.split, shard), (query_id, window.position, record)
        for count in counts.items():
            yield beam.pvalue.TaggedOutput(COUNTS, count)


class WriteShardFn(beam.DoFn):
    """((split, shard), its records) -> the path of one sorted file; the file is empty without records."""

    def __init__(self, uri: str, staging: str):
        self._uri = uri
        self._staging = staging

    def process(self, element: Any, num_shards: Any) -> Iterable[str]:
        (split, shard), grouped = element
        name = f"windows-{shard:05d}-of-{num_shards:05d}.gz"
        path = os.path.join(self._uri, f"Split-{split}", name)
        # Sorted by query and position, so that each engine and each run writes the same bytes.
        written = shards.write((record for _, _, record in sorted(grouped["records"])), path, self._staging)
        progress.count(written, "windows")
        yield path


def split_known(pair: Any, catalogue: Any) -> Iterator[Any]:
    """(query_id, row) -> the same pair, or under UNKNOWN the candidate id that the catalogue lacks."""
    candidate_id = pair[1][_CANDIDATE_ID]
    if candidate_id in catalogue:
        yield pair
    else:
        yield beam.pvalue.TaggedOutput(UNKNOWN, candidate_id)


def duplicates(pair: Any, id_name: str) -> Iterator[tuple[str, str]]:
    """(id, its first rows) -> a problem, if there is more than one row."""
    key, rows = pair
    if len(rows) > 1:
        (path, row, _), (other_path, other_row, _) = rows
        yield (
            f"duplicate {id_name}",
            f"{_location(other_path, other_row)}: {id_name} {key.decode(errors='replace')!r} is already in "
            f"{_location(path, row)}; expected each id once, remove one of the rows",
        )


def _missing_value(name: str, path: bytes, row: int) -> str:
    return f"{_location(path, row)}: expected a value for {name}, got none; fill it in or remove the row"


def _location(path: bytes, row: int) -> str:
    return f"{path.decode(errors='replace')} data row {row} (counted from 0)"
