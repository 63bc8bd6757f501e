"""The Beam graph of the ExampleGens: files, rows that pass, one row an id where that is asked for, sorted shards.

A worker holds some thousand rows while it reads and one shard while it writes.
"""

# No `from __future__ import annotations` here: Beam reads the hints at run time.

import contextlib
import dataclasses
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from apache_beam.pvalue import PCollection

from components import shards
from components.table_example_gen import parts
from components.table_example_gen.encode import Encoder
from shortlist import keys
from shortlist.process import progress
from shortlist.tables import readers
from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import TableSpec

COUNTS_FILE = "counts.json"
ROWS_READ = "rows_read"
ROWS_FILTERED = "rows_filtered"
ROWS_WRITTEN = "rows_written"

_COUNTS = "counts"

# (source_path, first source_row, packed examples) of rows that follow one another: batches sort as their rows do.
# Packed, a row takes an eighth of the memory and of the network that the shuffle costs.
Batch = tuple[str, int, bytes]

_EXAMPLES = beam.coders.IterableCoder(beam.coders.BytesCoder())


def build(root: Pipeline, files: Sequence[InputFile], spec: TableSpec, folder: str, staging: str) -> None:
    """Adds the node's whole graph to a pipeline.

    It writes `<folder>/data_tfrecord-<shard>-of-<shards>.gz`, each sorted by (source_path, source_row), and
    `<staging>/counts.json`. Each shard holds the same examples in the same order whatever engine runs it; only the
    order of features within an example, which has no meaning, differs from process to process.

    Args:
      root: The pipeline.
      files: What to read.
      spec: What it means.
      folder: Of the split.
      staging: A folder on the same file system for what is not finished.
    """
    num_shards = parts.num_shards(files, spec)
    rows = (
        root
        | "Files" >> beam.Create([parts.FilePart(file, number) for number, file in enumerate(files)])
        | "SpreadFiles" >> beam.Reshuffle()
        | "RowGroups" >> beam.FlatMap(_row_groups, spec)
        | "SpreadParts" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(_ReadFn(spec, num_shards)).with_outputs(_COUNTS, main="batches")
    )
    batches = rows.batches if spec.duplicates == "refuse" else _one_an_id(rows.batches, spec, num_shards)
    empty = root | "Shards" >> beam.Create([(shard, ("", -1, _packed([]))) for shard in range(num_shards)])
    written = (
        (batches, empty)
        | "AllShards" >> beam.Flatten()
        | "GroupShards" >> beam.GroupByKey()
        | "WriteShards" >> beam.Map(_write_shard, num_shards, folder, staging)
    )
    _write_counts(root, (rows[_COUNTS], written), os.path.join(staging, COUNTS_FILE))


def _row_groups(part: parts.FilePart, spec: TableSpec) -> Iterator[parts.FilePart]:
    if spec.format_of(part.file.name) != "parquet":
        yield part
        return
    from shortlist.tables.parquet_reader import ParquetReader

    with contextlib.closing(part.file.open()) as file:
        row_groups = ParquetReader(file, spec, part.file.name).row_groups
    for start_and_stop in parts.row_group_ranges(row_groups):
        yield dataclasses.replace(part, row_groups=start_and_stop)


class _ReadFn(beam.DoFn):
    """Part -> (shard, `Batch`), or where one row an id is kept (id, (source_path, source_row, example)); and counts."""

    def __init__(self, spec: TableSpec, num_shards: int):
        self._spec = spec
        self._num_shards = num_shards
        self._id = keys.QUERY_ID if spec.kind == "queries" else keys.CANDIDATE_ID

    def setup(self) -> None:
        self._encoder = Encoder(self._spec)

    def process(self, part: parts.FilePart) -> Iterator[Any]:
        name = part.file.name
        first_shard = part.number + (part.row_groups or (0,))[0]
        with contextlib.closing(part.file.open()) as file:
            reader = readers.open_table(file, self._spec, name, part.row_groups)
            for index, rows in enumerate(readers.batches(reader, self._spec)):
                examples = self._encoder.encode(rows, name)
                progress.count(len(rows), "rows")
                if self._spec.duplicates == "refuse":
                    yield (first_shard + index) % self._num_shards, (name, rows[0][0], _packed(examples))
                else:
                    for (row, values), example in zip(rows, examples, strict=True):
                        yield values[self._id][0], (name, row, example)
            yield beam.pvalue.TaggedOutput(_COUNTS, (ROWS_READ, reader.rows_read))
            yield beam.pvalue.TaggedOutput(_COUNTS, (ROWS_FILTERED, reader.rows_dropped))


def _one_an_id(rows: PCollection, spec: TableSpec, num_shards: int) -> PCollection:
    """(id, row) -> (shard, `Batch` of the first or last row of each id)."""
    return (
        rows
        | "OneAnId" >> beam.CombinePerKey(min if spec.duplicates == "first" else max)
        | "Batch"
        >> beam.MapTuple(lambda key, row: (zlib.crc32(key.encode()) % num_shards, (*row[:2], _packed([row[2]]))))
    )


def _write_shard(pair: tuple[int, Iterable[Batch]], num_shards: int, folder: str, staging: str) -> tuple[str, int]:
    shard, batches = pair
    path = os.path.join(folder, f"data_tfrecord-{shard:05d}-of-{num_shards:05d}.gz")
    examples = (example for _, _, packed in sorted(batches) for example in _unpacked(packed))
    return ROWS_WRITTEN, shards.write(examples, path, staging)


def _packed(examples: list[bytes]) -> bytes:
    return zlib.compress(_EXAMPLES.encode(examples), level=1)


def _unpacked(packed: bytes) -> list[bytes]:
    return _EXAMPLES.decode(zlib.decompress(packed))


def _write_counts(root: Pipeline, counts: Iterable[PCollection], path: str) -> None:
    summed = counts | "AllCounts" >> beam.Flatten() | "SumCounts" >> beam.CombinePerKey(sum)
    _ = root | "Counts" >> beam.Create([path]) | "WriteCounts" >> beam.Map(_dump_counts, beam.pvalue.AsDict(summed))


def _dump_counts(path: str, counts: Any) -> None:
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(dict(counts), sort_keys=True))
