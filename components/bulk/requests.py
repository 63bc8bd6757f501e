"""The Beam graph that turns the flat tables into one request per query, as `recommend --query` would make it."""

# No `from __future__ import annotations` here: Beam reads the hints at run time.

import dataclasses
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection

from components import shards
from components.windows import beam_fns, records, schema
from components.windows.beam import read, without_repeats
from shortlist import keys, splits
from shortlist.config.features import Feature
from shortlist.config.table import Repeats
from shortlist.tables.as_of import LogTimes, default_as_of
from shortlist.tables.spec import Unit


@dataclasses.dataclass(frozen=True)
class RequestSettings:
    """All that decides a query's request besides its rows."""

    repeats: Repeats
    max_interactions: int
    has_times: bool
    unit: Unit
    """Unit of the log's timestamps."""
    as_of: int | None
    """Time of all requests; histories end before it. None for each query's default, see `as_of.default_as_of`."""
    now: int
    """Seconds since 1970."""
    num_shards: int
    history_features: tuple[tuple[str, Feature], ...] = ()
    """Features of the log's rows that the model reads of a history's items."""


def build(
    root: Pipeline,
    interactions: str,
    queries: str | None,
    candidate_ids: str,
    wanted: tuple[bytes, ...] | None,
    settings: RequestSettings,
    folder: str,
    staging: str,
) -> None:
    """Adds the graph to a pipeline. It writes `<folder>/requests-<shard>.gz`, each sorted by query id.

    A request is a tf.Example with `query_id`, `history_ids`, `history_times`, `query_time`, the query's features and
    those of the history's items.

    Args:
      root: The pipeline.
      interactions: File pattern of the flat log.
      queries: File pattern of the flat queries; None without the table.
      candidate_ids: TFRecord file with the ids of the model's candidates; other items are no history.
      wanted: Ids of the queries to ask for, in the log or not; None for all in the log and in the table of queries.
      settings: See the class.
      folder: Folder of the requests.
      staging: A folder for unfinished files, on the same file system.
    """
    parse = beam_fns.ParseInteractionFn(settings.has_times, settings.history_features)
    log = read(root, "Log", [interactions], parse)
    newest = (
        log.rows
        | "Times" >> beam.Map(lambda pair: pair[1][0])
        | "Newest" >> beam.CombineGlobally(_Greatest())
        | "LogTimes" >> beam.Map(lambda time: LogTimes(settings.unit, time if settings.has_times else None))
    )
    rows = log.rows
    if wanted is not None:
        rows = rows | "Wanted" >> beam.Filter(lambda pair, ids: pair[0] in ids, frozenset(wanted))
    asked = rows | "Ids" >> beam.Keys() | "DistinctIds" >> beam.Distinct()
    if settings.as_of is not None:
        rows = rows | "Before" >> beam.Filter(lambda pair: pair[1][0] < settings.as_of)
    known = rows | "Known" >> beam.ParDo(_KnownFn(candidate_ids))
    latest = without_repeats(known, settings.repeats) | "Latest" >> beam.CombinePerKey(
        beam_fns.KeepFn(settings.max_interactions, latest=True)
    )
    features = root | "NoQueries" >> beam.Create([])
    if queries is not None:
        features = _features(root, queries, wanted)
        if wanted is None:
            asked = (asked, features | "IdsWithFeatures" >> beam.Keys()) | "AllIds" >> beam.Flatten()
    if wanted is not None:
        asked = root | "AllWanted" >> beam.Create(sorted(set(wanted)))
    requests = (
        {
            "asked": asked | "DistinctAsked" >> beam.Distinct() | "Asked" >> beam.Map(lambda key: (key, True)),
            "history": latest,
            "features": features,
        }
        | "Join" >> beam.CoGroupByKey()
        | "Encode" >> beam.FlatMap(_request, settings, beam.pvalue.AsSingleton(newest))
    )
    # One empty record per shard, so that every shard becomes a file.
    empty = root | "Shards" >> beam.Create([(shard, (b"", b"")) for shard in range(settings.num_shards)])
    _ = (
        (requests, empty)
        | "AllRequests" >> beam.Flatten()
        | "Group" >> beam.GroupByKey()
        | "Write" >> beam.Map(_write_shard, folder, staging)
    )


def request_path(folder: str, shard: int) -> str:
    """Returns the file of a shard's requests."""
    return os.path.join(folder, f"requests-{shard:05d}.gz")


class _Greatest(beam.CombineFn):
    """The greatest of whole numbers; None without any."""

    def create_accumulator(self) -> int | None:
        return None

    def add_input(self, greatest: int | None, value: int) -> int:
        return value if greatest is None else max(greatest, value)

    def merge_accumulators(self, accumulators: Iterable[int | None]) -> int | None:
        return max((value for value in accumulators if value is not None), default=None)

    def extract_output(self, greatest: int | None) -> int | None:
        return greatest


class _KnownFn(beam.DoFn):
    """Drops rows of candidates that the model does not have."""

    def __init__(self, path: str):
        self._path = path

    def setup(self) -> None:
        self._ids = frozenset(tf.data.TFRecordDataset(self._path, compression_type="GZIP").as_numpy_iterator())

    def process(self, pair: Any) -> Iterator[Any]:
        if pair[1][4] in self._ids:
            yield pair


def _features(root: Pipeline, queries: str, wanted: tuple[bytes, ...] | None) -> PCollection:
    rows = read(root, "Queries", [queries], beam_fns.ParseKeyedFn(keys.QUERY_ID, True))
    if wanted is None:
        return rows.rows
    return rows.rows | "WantedFeatures" >> beam.Filter(lambda pair, ids: pair[0] in ids, frozenset(wanted))


def _request(element: Any, settings: RequestSettings, log: LogTimes) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    """One query's joined rows -> (shard, (query_id, serialized request))."""
    query_id, tables = element
    if not list(tables["asked"]):
        return
    rows = [splits.Interaction(*row) for group in tables["history"] for row in group]
    example = tf.train.Example()
    for _, _, serialized in tables["features"]:
        example.MergeFromString(serialized)
    times = [row.timestamp for row in rows]
    query_time = settings.as_of
    if query_time is None:
        query_time = default_as_of(log, max((time for time in times if time), default=None), settings.now).time
    feature = example.features.feature
    feature[keys.QUERY_ID].bytes_list.value[:] = [query_id]
    feature[keys.HISTORY_IDS].bytes_list.value[:] = [row.candidate_id for row in rows]
    feature[keys.HISTORY_TIMES].int64_list.value[:] = times
    for index, (name, kind) in enumerate(settings.history_features):
        values = [row.features[index] for row in rows]
        records.extend(feature[keys.HISTORY_FEATURE + name], schema.kind_of(kind), values)
    if query_time is not None:
        feature[keys.QUERY_TIME].int64_list.value[:] = [query_time]
    yield zlib.crc32(query_id) % settings.num_shards, (query_id, example.SerializeToString(deterministic=True))


def _write_shard(pair: tuple[int, Iterable[tuple[bytes, bytes]]], folder: str, staging: str) -> None:
    shard, records = pair
    requests = (record for _, record in sorted(records) if record)
    shards.write(requests, request_path(folder, shard), staging)
