"""The Beam combiners and DoFns of the Windows node; `beam` joins them into a graph.

Every decision on a single query is made by the cores (`splits`, `windowing`).
What is wrong with the data is emitted under `PROBLEMS`, not raised: an exception
inside a Beam step reaches the user wrapped in the runner's own, without its type.
"""

# ruff: noqa: D102  the methods are Beam's
# No `from __future__ import annotations` here: Beam reads the hints at run time.

import collections
import os
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components import shards
from components.windows import records, stats, times, windowing
from components.windows.windows_config import WindowsConfig
from shortlist import keys, splits

COUNTS = "counts"
PROBLEMS = "problems"
UNKNOWN = "unknown"

# Trimming the tails of a small log after every query would sort them each time.
_TAILS_SLACK = 10_000


class KeepFn(beam.CombineFn):
    """Keeps the `size` greatest (or smallest) distinct values, sorted.

    A combiner runs before the shuffle too: of a key with a billion values, `size`
    a bundle travel.
    """

    def __init__(self, size: int, latest: bool):
        self._size = size
        self._latest = latest

    def create_accumulator(self) -> list[Any]:
        return []

    def add_input(self, kept: list[Any], value: Any) -> list[Any]:
        kept.append(value)
        return self._trim(kept) if len(kept) >= 2 * self._size else kept

    def merge_accumulators(self, accumulators: Iterable[list[Any]]) -> list[Any]:
        merged: list[Any] = []
        for kept in accumulators:
            merged = self._trim(merged + kept)
        return merged

    def extract_output(self, kept: list[Any]) -> list[Any]:
        return self._trim(kept)

    def _trim(self, kept: list[Any]) -> list[Any]:
        distinct = sorted(set(kept))
        return distinct[-self._size :] if self._latest else distinct[: self._size]


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
    """Counts row keys by `splits.key_bucket`; values are one query's row keys."""

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
    """Keeps the first and the last places in time; values are (`times.tail_size` of all rows, one query's places).

    The size travels with the values: a side input would keep the combiner from
    running before the shuffle.
    """

    def create_accumulator(self) -> tuple[int, list[times.RowLocation], list[times.RowLocation]]:
        return 0, [], []

    def add_input(self, tails: Any, value: Any) -> Any:
        size, places = value
        _, first, last = tails
        first += places
        last += places
        return self._trim(size, first, last) if len(first) >= 2 * size + _TAILS_SLACK else (size, first, last)

    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        merged: Any = self.create_accumulator()
        for size, first, last in accumulators:
            merged = self._trim(max(size, merged[0]), merged[1] + first, merged[2] + last)
        return merged

    def extract_output(self, tails: Any) -> times.Isolated | None:
        size, first, last = self._trim(*tails)
        return times.isolated(first, last) if size else None

    def _trim(self, size: int, first: list[times.RowLocation], last: list[times.RowLocation]) -> Any:
        return size, sorted(first)[:size], sorted(last)[-size:]


class ParseInteractionFn(beam.DoFn):
    """Serialized flat interaction -> (query_id, `splits.Interaction` as a plain tuple)."""

    def __init__(self, has_timestamps: bool):
        self._required = [keys.QUERY_ID, keys.CANDIDATE_ID, *([keys.TIMESTAMP] if has_timestamps else [])]

    def process(self, serialized: bytes) -> Iterable[Any]:
        example = tf.train.Example.FromString(serialized)
        path = records.one_bytes(example, keys.SOURCE_PATH) or b""
        row = records.one_int(example, keys.SOURCE_ROW) or 0
        query_id = records.one_bytes(example, keys.QUERY_ID)
        candidate_id = records.one_bytes(example, keys.CANDIDATE_ID)
        timestamp = records.one_int(example, keys.TIMESTAMP)
        nanos = records.one_int(example, keys.TIMESTAMP_NANOS) or 0
        weight = records.one_float(example, keys.WEIGHT)
        values = {keys.QUERY_ID: query_id, keys.CANDIDATE_ID: candidate_id, keys.TIMESTAMP: timestamp}
        for name in self._required:
            if values[name] is None:
                yield beam.pvalue.TaggedOutput(PROBLEMS, ("missing value", _missing(name, path, row)))
                return
        yield query_id, (timestamp or 0, nanos, path, row, candidate_id, 1.0 if weight is None else weight)


class ParseKeyedFn(beam.DoFn):
    """Serialized flat candidate or query -> (id, (source_path, source_row, serialized or nothing))."""

    def __init__(self, id_name: str, keep_features: bool):
        self._id_name = id_name
        self._keep_features = keep_features

    def process(self, serialized: bytes) -> Iterable[Any]:
        example = tf.train.Example.FromString(serialized)
        path = records.one_bytes(example, keys.SOURCE_PATH) or b""
        row = records.one_int(example, keys.SOURCE_ROW) or 0
        key = records.one_bytes(example, self._id_name)
        if key is None:
            yield beam.pvalue.TaggedOutput(PROBLEMS, ("missing value", _missing(self._id_name, path, row)))
        else:
            yield key, (path, row, serialized if self._keep_features else b"")


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
        rows = [splits.Interaction(*row) for kept in tables["interactions"] for row in kept]
        query_rows = [row for first in tables["queries"] for row in first]
        if not rows:
            yield beam.pvalue.TaggedOutput(COUNTS, (stats.QUERY_WITHOUT_INTERACTIONS, 1))
            return
        split = self._config.split
        names = (
            splits.assign(rows, split, cuts) if not self._config.everything_is_train else [keys.SPLIT_TRAIN] * len(rows)
        )
        counts = stats.count_query(rows, names)
        counts[stats.QUERIES_WITHOUT_FEATURES] += self._has_queries and not query_rows
        shard = records.shard_of(query_id, num_shards)
        query_row = query_rows[0][2] if query_rows else None
        for window in windowing.iter_windows(rows, names, split, self._config.windows):
            counts.update(stats.count_window(window))
            record = records.encode(query_id, window, query_row, self._feature_types)
            yield (window.split, shard), (query_id, window.position, record)
        for count in counts.items():
            yield beam.pvalue.TaggedOutput(COUNTS, count)


class WriteShardFn(beam.DoFn):
    """((split, shard), its records) -> one sorted file, an empty one where there are no records."""

    def __init__(self, uri: str, staging: str):
        self._uri = uri
        self._staging = staging

    def process(self, element: Any, num_shards: Any) -> Iterable[str]:
        (split, shard), grouped = element
        name = f"windows-{shard:05d}-of-{num_shards:05d}.gz"
        path = os.path.join(self._uri, f"Split-{split}", name)
        shards.write((record for _, _, record in sorted(grouped["records"])), path, self._staging)
        yield path


def split_known(pair: Any, catalogue: Any) -> Iterator[Any]:
    """(query_id, row) -> itself, or its candidate id under UNKNOWN."""
    candidate_id = splits.Interaction(*pair[1]).candidate_id
    yield pair if candidate_id in catalogue else beam.pvalue.TaggedOutput(UNKNOWN, candidate_id)


def duplicates(pair: Any, id_name: str) -> Iterator[tuple[str, str]]:
    """(id, its first rows) -> the problem that there is more than one."""
    key, rows = pair
    if len(rows) > 1:
        (path, row, _), (other_path, other_row, _) = rows
        yield (
            f"duplicate {id_name}",
            f"{_place(other_path, other_row)}: {id_name} {key.decode(errors='replace')!r} is already in "
            f"{_place(path, row)}; expected each id once, remove one of the rows",
        )


def _missing(name: str, path: bytes, row: int) -> str:
    return f"{_place(path, row)}: expected a value for {name}, got none; fill it in or remove the row"


def _place(path: bytes, row: int) -> str:
    return f"{path.decode(errors='replace')} data row {row} (counted from 0)"
