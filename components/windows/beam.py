"""The Beam graph of the Windows node: joins, the latest N interactions per query, splits, sorted shards.

Only three things must fit into one worker's memory: the catalogue's ids, one query's
interactions after `max_interactions_per_query`, and one output shard.
"""

# No `from __future__ import annotations` here: Beam reads the hints at run time.

import json
import operator
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.fileio import EmptyMatchTreatment
from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection
from apache_beam.transforms import combiners

from components import shards
from components.windows import beam_fns, records, stats, times
from components.windows.windows_config import SPLITS, WindowsConfig
from shortlist import keys, splits
from shortlist.config.split import Random, Temporal
from shortlist.config.table import Repeats

SUMMARY_FILE = "summary.json"

_SHOWN_PROBLEMS = 3
_SHOWN_UNKNOWN_IDS = 5
_PARSED_ROWS = 1000
_LOCATION = operator.itemgetter(
    *(splits.Interaction._fields.index(name) for name in ("timestamp", "source_path", "source_row"))
)


class InputPatterns(NamedTuple):
    """File patterns of the gz TFRecords of each flat table; `queries` is empty without a queries table."""

    interactions: list[str]
    candidates: list[str]
    queries: list[str]


def build(
    root: Pipeline,
    patterns: InputPatterns,
    config: WindowsConfig,
    feature_types: dict[str, int],
    uri: str,
    staging: str,
) -> None:
    """Adds the node's whole graph to a pipeline.

    The graph writes `<uri>/Split-<split>/windows-*.gz` and `<staging>/summary.json`.
    The summary holds counts, problems, unknown_ids, isolated times and the latest time. Call
    `checks.check` on it before you use the files.

    Args:
      root: The pipeline.
      patterns: File patterns of the flat tables.
      config: The part of the config that decides the windows.
      feature_types: schema_pb2.FeatureType of the queries' features, by name.
      uri: Folder of the windows artifact.
      staging: A folder for unfinished files, on the same file system as `uri`.
    """
    parse = beam_fns.ParseInteractionFn(config.has_timestamps, tuple(config.features.carried.items()))
    interactions = read(root, "Interactions", patterns.interactions, parse)
    candidates = read(root, "Candidates", patterns.candidates, beam_fns.ParseKeyedFn(keys.CANDIDATE_ID, False))
    queries = read(root, "Queries", patterns.queries, beam_fns.ParseKeyedFn(keys.QUERY_ID, True))

    candidate_rows = _first_two(candidates.rows, "Candidates")
    query_rows = _first_two(queries.rows, "Queries")
    known = _split_known(interactions.rows, candidate_rows)
    distinct = without_repeats(known.rows, config.repeats)
    # The cap is a combiner, so that a bot's whole log never lands in one worker.
    latest = distinct | "LatestInteractions" >> beam.CombinePerKey(
        beam_fns.KeepFn(config.max_interactions_per_query, latest=True)
    )

    num_rows = latest | "KeptPerQuery" >> beam.Map(lambda pair: len(pair[1])) | "Kept" >> beam.CombineGlobally(_total)
    num_shards = beam.pvalue.AsSingleton(num_rows | "NumShards" >> beam.Map(records.num_shards))
    cuts, latest_time = None, root | "NoLatestTime" >> beam.Create([None])
    if isinstance(config.split, Random) and not config.everything_is_train:
        cuts = beam.pvalue.AsSingleton(_random_cuts(latest, config.split))
    elif isinstance(config.split, Temporal) and not config.everything_is_train:
        latest_time = latest | "Latest" >> beam.Map(_latest_target) | "LatestTime" >> beam.CombineGlobally(_latest)
        cuts = beam.pvalue.AsSingleton(latest_time | "TimeCuts" >> beam.Map(_time_cuts, config.split))
    plan = beam_fns.PlanQueryFn(config.model_dump_json(), feature_types, bool(patterns.queries))
    outputs = (
        {"interactions": latest, "queries": query_rows}
        | "JoinQueries" >> beam.CoGroupByKey()
        | "PlanQuery" >> beam.ParDo(plan, num_shards, cuts).with_outputs(beam_fns.COUNTS, main="records")
    )
    _write(root, outputs.records, num_shards, uri, staging)

    counts = (
        outputs[beam_fns.COUNTS],
        _count(interactions.rows, stats.INTERACTIONS_READ),
        _count(known[beam_fns.UNKNOWN], stats.UNKNOWN_CANDIDATE),
        _count(distinct, stats.DISTINCT),
        _count(candidate_rows, stats.CANDIDATES),
    )
    problems = (
        *(table.problems for table in (interactions, candidates, queries)),
        candidate_rows | "CandidateTwice" >> beam.FlatMap(beam_fns.duplicates, keys.CANDIDATE_ID),
        query_rows | "QueryTwice" >> beam.FlatMap(beam_fns.duplicates, keys.QUERY_ID),
    )
    isolated = _isolated_times(root, latest, num_rows, config.has_timestamps)
    path = os.path.join(staging, SUMMARY_FILE)
    _write_summary(root, counts, problems, known[beam_fns.UNKNOWN], isolated, latest_time, path)


def read(root: Pipeline, table: str, patterns: list[str], parse: beam.DoFn) -> Any:
    """Returns the `rows` of a flat table, and what is wrong with others under PROBLEMS.

    Args:
      root: The pipeline.
      table: Name of the table, part of the steps' names.
      patterns: File patterns of gz TFRecords, each with at least one file.
      parse: `ParseInteractionFn` or `ParseKeyedFn` of `beam_fns`.
    """
    files = [
        root
        | f"Match{table}{index}"
        >> beam.io.fileio.MatchFiles(pattern, empty_match_treatment=EmptyMatchTreatment.DISALLOW)
        for index, pattern in enumerate(patterns)
    ]
    serialized = (
        files
        | f"All{table}" >> beam.Flatten(pipeline=root)
        | f"Path{table}" >> beam.Map(lambda file: file.path)
        | f"Spread{table}" >> beam.Reshuffle()
        # Beam's own reader checks each record in Python; TensorFlow does so in C++.
        | f"Read{table}" >> beam.FlatMap(shards.read_batches, _PARSED_ROWS)
    )
    return serialized | f"Parse{table}" >> beam.ParDo(parse).with_outputs(beam_fns.PROBLEMS, main="rows")


def _first_two(rows: PCollection, table: str) -> PCollection:
    """(id, row) -> (id, its first two rows). An id may have one row; the second row proves a duplicate."""
    return rows | f"FirstTwo{table}" >> beam.CombinePerKey(beam_fns.KeepFn(2, latest=False))


def _split_known(rows: PCollection, candidate_rows: PCollection) -> Any:
    """(query_id, row) -> `rows` whose candidate is in the catalogue, and the other candidate ids under UNKNOWN."""
    catalogue = (
        candidate_rows | "CatalogueIds" >> beam.Keys() | "Catalogue" >> beam.CombineGlobally(beam_fns.CollectFn())
    )
    # The catalogue's ids are a side input: a join by candidate would send each interaction through one more shuffle.
    return rows | "KnownCandidates" >> beam.FlatMap(
        beam_fns.split_known, beam.pvalue.AsSingleton(catalogue)
    ).with_outputs(beam_fns.UNKNOWN, main="rows")


def without_repeats(rows: PCollection, repeats: Repeats) -> PCollection:
    """(query_id, row) -> (query_id, the first or last row per candidate), see `splits.drop_repeats`."""
    if repeats == "all":
        return rows
    return (
        rows
        | "KeyRepeats" >> beam.Map(lambda pair: ((pair[0], splits.repeat_key(splits.Interaction(*pair[1]))), pair[1]))
        | "DropRepeats" >> beam.CombinePerKey(beam_fns.KeepFn(1, latest=repeats == "last"))
        | "UnkeyRepeats" >> beam.Map(lambda pair: (pair[0][0], pair[1][0]))
    )


def _isolated_times(root: Pipeline, latest: PCollection, num_rows: PCollection, has_timestamps: bool) -> PCollection:
    """(query_id, rows) and the number of all rows -> one element, `times.IsolatedTimes` or None."""
    # The summary needs one element in any case: a side input read by AsSingleton must not be empty.
    if not has_timestamps:
        return root | "Untimed" >> beam.Create([None])
    return (
        latest
        | "Times" >> beam.Map(_locations, beam.pvalue.AsSingleton(num_rows))
        | "Isolated" >> beam.CombineGlobally(beam_fns.TimeTailsFn())
    )


def _locations(pair: Any, num_rows: int) -> tuple[int, list[tuple[int, bytes, int]]]:
    # Plain tuples: of all rows, only the tails become `times.RowLocation`s.
    return times.tail_size(num_rows), list(map(_LOCATION, pair[1]))


def _random_cuts(latest: PCollection, split: Random) -> PCollection:
    """Finds the exact cuts of the shuffle in two passes, neither of which holds all rows.

    The first pass counts row keys per bucket. The second one sorts only the two buckets that hold the cuts.
    """
    row_keys = latest | "RowKeys" >> beam.Map(
        lambda pair, seed: [
            splits.row_key(seed, row) for row in (splits.Interaction(*row) for row in pair[1]) if row.is_target
        ],
        split.seed,
    )
    histogram = row_keys | "KeyHistogram" >> beam.CombineGlobally(beam_fns.HistogramFn())
    buckets = histogram | "CutBuckets" >> beam.Map(splits.cut_buckets)
    return (
        row_keys
        | "KeysNearCuts" >> beam.FlatMap(_keys_in, beam.pvalue.AsSingleton(buckets))
        | "AllNearCuts" >> combiners.ToList()
        | "Cuts" >> beam.Map(lambda near, counts: splits.pick_cuts(counts, near), beam.pvalue.AsSingleton(histogram))
    )


def _latest_target(pair: Any) -> int | None:
    """(query_id, rows) -> the time of its latest target; None if it has none."""
    return _latest(row.timestamp for row in (splits.Interaction(*row) for row in pair[1]) if row.is_target)


def _latest(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


def _time_cuts(latest: int | None, split: Temporal) -> splits.TimeCuts:
    # A log without targets has nothing to split; the checks of the counts refuse it.
    return splits.time_cuts(split, 0 if latest is None else latest)


def _keys_in(row_keys: list[bytes], buckets: Any) -> list[bytes]:
    return [key for key in row_keys if splits.key_bucket(key) in buckets]


def _write(root: Pipeline, window_records: PCollection, num_shards: Any, uri: str, staging: str) -> None:
    shards = (
        root
        | "Splits" >> beam.Create(SPLITS)
        | "Shards" >> beam.FlatMap(lambda split, size: [((split, shard), None) for shard in range(size)], num_shards)
    )
    # Joined with every shard's name: a shard without records becomes an empty file, and no number is missing.
    _ = (
        {"records": window_records, "shards": shards}
        | "GroupShards" >> beam.CoGroupByKey()
        | "WriteShards" >> beam.ParDo(beam_fns.WriteShardFn(uri, staging), num_shards)
    )


def _total(numbers: Iterable[int]) -> int:
    return sum(numbers)


def _count(rows: PCollection, name: str) -> PCollection:
    return (
        rows
        | f"Count_{name}" >> combiners.Count.Globally()
        | f"Name_{name}" >> beam.Map(lambda number, name: (name, number), name)
    )


def _write_summary(
    root: Pipeline,
    counts: Iterable[Any],
    problems: Iterable[Any],
    unknown: PCollection,
    isolated: PCollection,
    latest_time: PCollection,
    path: str,
) -> None:
    summed = counts | "AllCounts" >> beam.Flatten() | "SumCounts" >> beam.CombinePerKey(_total)
    first = (
        problems
        | "AllProblems" >> beam.Flatten()
        | "FirstProblems" >> beam.CombinePerKey(beam_fns.KeepFn(_SHOWN_PROBLEMS, latest=False))
    )
    some_unknown = unknown | "SomeUnknown" >> beam.CombineGlobally(beam_fns.KeepFn(_SHOWN_UNKNOWN_IDS, latest=False))
    _ = (
        root
        | "Summary" >> beam.Create([path])
        | "WriteSummary"
        >> beam.Map(
            _dump_summary,
            beam.pvalue.AsDict(summed),
            beam.pvalue.AsDict(first),
            beam.pvalue.AsSingleton(some_unknown),
            beam.pvalue.AsSingleton(isolated),
            beam.pvalue.AsSingleton(latest_time),
        )
    )


def _dump_summary(
    path: str,
    counts: Any,
    problems: Any,
    unknown_ids: Any,
    isolated: times.IsolatedTimes | None,
    latest_time: int | None,
) -> None:
    summary = {
        "counts": dict(counts),
        "problems": dict(problems),
        "unknown_ids": [candidate_id.decode(errors="replace") for candidate_id in unknown_ids],
        "isolated": isolated and isolated.to_json(),
        "latest_time": latest_time,
    }
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(summary, sort_keys=True))
