"""The Beam graph of the Windows node: joins, the latest N of a query, splits, sorted shards.

No table and no query ever has to fit into one worker, apart from the catalogue's
ids, the kept interactions of one query and one output shard.
"""

# No `from __future__ import annotations` here: Beam reads the hints at run time.

import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import apache_beam as beam
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection
from apache_beam.transforms import combiners

from components.windows import beam_fns, records, splits, stats
from components.windows.contract import SPLITS, WindowsConfig
from shortlist import keys
from shortlist.config import types

SUMMARY_FILE = "summary.json"

_SHOWN_PROBLEMS = 3
_SHOWN_UNKNOWN_IDS = 5


class InputPatterns(NamedTuple):
    """File patterns of the gz TFRecords of each flat table; no queries where there is no such table."""

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

    It writes `<uri>/Split-<split>/windows-*.gz` and `<staging>/summary.json` with
    counts, problems and unknown_ids, which `stats.refusal` must be asked about
    before the files are used.

    Args:
      root: The pipeline.
      patterns: Where the flat tables are.
      config: What decides the windows.
      feature_types: schema_pb2.FeatureType of the queries' features.
      uri: The windows artifact.
      staging: A folder on the same file system for what is not finished.
    """
    interactions = _read(
        root, "Interactions", patterns.interactions, beam_fns.ParseInteractionFn(config.has_timestamps)
    )
    candidates = _read(root, "Candidates", patterns.candidates, beam_fns.ParseKeyedFn(keys.CANDIDATE_ID, False))
    queries = _read(root, "Queries", patterns.queries, beam_fns.ParseKeyedFn(keys.QUERY_ID, True))

    candidate_rows = _first_two(candidates.rows, "Candidates")
    query_rows = _first_two(queries.rows, "Queries")
    catalogue = (
        candidate_rows | "CatalogueIds" >> beam.Keys() | "Catalogue" >> beam.CombineGlobally(beam_fns.CollectFn())
    )
    known = interactions.rows | "KnownCandidates" >> beam.FlatMap(
        beam_fns.split_known, beam.pvalue.AsSingleton(catalogue)
    ).with_outputs(beam_fns.UNKNOWN, main="rows")
    kept = known.rows | "LatestInteractions" >> beam.CombinePerKey(
        beam_fns.KeepFn(config.max_interactions_per_query, latest=True)
    )

    num_shards = beam.pvalue.AsSingleton(
        kept
        | "KeptPerQuery" >> beam.Map(lambda pair: len(pair[1]))
        | "Kept" >> beam.CombineGlobally(_total)
        | "NumShards" >> beam.Map(records.num_shards)
    )
    cuts = beam.pvalue.AsSingleton(_random_cuts(kept, config.split)) if config.split.kind == "random" else None
    planned = (
        {"interactions": kept, "queries": query_rows}
        | "JoinQueries" >> beam.CoGroupByKey()
        | "PlanQuery"
        >> beam.ParDo(
            beam_fns.PlanQueryFn(config.model_dump_json(), feature_types, bool(patterns.queries)), num_shards, cuts
        ).with_outputs(beam_fns.COUNTS, main="records")
    )
    _write(root, planned.records, num_shards, uri, staging)

    counts = (
        planned[beam_fns.COUNTS],
        _count(interactions.rows, stats.INTERACTIONS_READ),
        _count(known[beam_fns.UNKNOWN], stats.UNKNOWN_CANDIDATE),
        _count(candidate_rows, stats.CANDIDATES),
    )
    problems = (
        interactions.problems,
        candidates.problems,
        queries.problems,
        candidate_rows | "CandidateTwice" >> beam.FlatMap(beam_fns.duplicates, keys.CANDIDATE_ID),
        query_rows | "QueryTwice" >> beam.FlatMap(beam_fns.duplicates, keys.QUERY_ID),
    )
    _write_summary(root, counts, problems, known[beam_fns.UNKNOWN], os.path.join(staging, SUMMARY_FILE))


def _read(root: Pipeline, table: str, patterns: list[str], parse: beam.DoFn) -> Any:
    reads = [
        root | f"Read{table}{index}" >> beam.io.ReadFromTFRecord(pattern) for index, pattern in enumerate(patterns)
    ]
    serialized = reads | f"All{table}" >> beam.Flatten(pipeline=root)
    return serialized | f"Parse{table}" >> beam.ParDo(parse).with_outputs(beam_fns.PROBLEMS, main="rows")


def _first_two(rows: PCollection, table: str) -> PCollection:
    """(id, row) -> (id, its first two rows): more than one is a problem, and two show it."""
    return rows | f"FirstTwo{table}" >> beam.CombinePerKey(beam_fns.KeepFn(2, latest=False))


def _random_cuts(kept: PCollection, split: types.Random) -> PCollection:
    """The exact cuts of the shuffle in two passes, neither of which holds all rows: counts, then two buckets."""
    row_keys = kept | "RowKeys" >> beam.Map(
        lambda pair, seed: [splits.row_key(seed, splits.Interaction(*row)) for row in pair[1]], split.seed
    )
    histogram = row_keys | "KeyHistogram" >> beam.CombineGlobally(beam_fns.HistogramFn())
    wanted = histogram | "CutBuckets" >> beam.Map(splits.cut_buckets)
    return (
        row_keys
        | "KeysNearCuts" >> beam.FlatMap(_near_cuts, beam.pvalue.AsSingleton(wanted))
        | "AllNearCuts" >> combiners.ToList()
        | "Cuts" >> beam.Map(lambda near, counted: splits.pick_cuts(counted, near), beam.pvalue.AsSingleton(histogram))
    )


def _near_cuts(row_keys: list[bytes], wanted: Any) -> list[bytes]:
    return [key for key in row_keys if splits.key_bucket(key) in wanted]


def _write(root: Pipeline, planned: PCollection, num_shards: Any, uri: str, staging: str) -> None:
    shards = (
        root
        | "Splits" >> beam.Create(SPLITS)
        | "Shards" >> beam.FlatMap(lambda split, size: [((split, shard), None) for shard in range(size)], num_shards)
    )
    _ = (
        {"records": planned, "shards": shards}
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
    root: Pipeline, counts: Iterable[Any], problems: Iterable[Any], unknown: PCollection, path: str
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
        )
    )


def _dump_summary(path: str, counts: Any, problems: Any, unknown_ids: Any) -> None:
    summary = {
        "counts": dict(counts),
        "problems": dict(problems),
        "unknown_ids": [candidate_id.decode(errors="replace") for candidate_id in unknown_ids],
    }
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(summary, sort_keys=True))
