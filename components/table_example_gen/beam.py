"""The Beam graph of the ExampleGens: files, filtered rows, one row per id if configured, sorted shards.

A worker holds a few thousand rows while it reads, and one shard while it writes.
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
from components.table_example_gen import parts, value_counts
from components.table_example_gen.encode import Encoder
from shortlist import keys
from shortlist.process import progress
from shortlist.tables import readers, spans, zip_files
from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import TableSpec

COUNTS_FILE = "counts.json"
ROWS_READ = "rows_read"
ROWS_FILTERED = "rows_filtered"
ROWS_WRITTEN = "rows_written"

VALUES_FILE = "values.json"

_COUNTS = "counts"
_VALUES = "values"

# (source_path, first source_row, compressed examples) of consecutive rows: batches sort as their rows do.
# Compressed, a row takes an eighth of the memory and of the network traffic in the shuffle.
Batch = tuple[str, int, bytes]

_EXAMPLES = beam.coders.IterableCoder(beam.coders.BytesCoder())


def build(root: Pipeline, files: Sequence[InputFile], spec: TableSpec, folder: str, staging: str) -> None:
    """Adds the node's whole graph to a pipeline.

    The graph writes `<folder>/data_tfrecord-<shard>-of-<shards>.gz`, each sorted by (source_path, source_row),
    `<staging>/counts.json` and `<staging>/values.json`. Each shard holds the same examples in the same order on every
    engine. Only the order of features within an example differs between processes; it has no meaning.

    Args:
      root: The pipeline.
      files: The table's files.
      spec: Format, columns, filter and duplicate policy of the table.
      folder: Folder of the split.
      staging: A folder for unfinished files, on the same file system as `folder`.
    """
    num_shards = parts.num_shards(files, spec)
    # Values are counted as they are read, where no row is dropped later: a shard's examples have to be decoded for it.
    columns, no_columns = value_counts.columns(spec), list[str]()
    counted, counted_late = (columns, no_columns) if spec.duplicates == "refuse" else (no_columns, columns)
    rows = (
        root
        | "Files" >> beam.Create([parts.FilePart(file, number) for number, file in enumerate(files)])
        | "SpreadFiles" >> beam.Reshuffle()
        | "RowGroups" >> beam.FlatMap(_row_groups, spec)
        | "SpreadParts" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(_ReadFn(spec, num_shards, counted)).with_outputs(_COUNTS, _VALUES, main="batches")
    )
    batches = rows.batches
    if spec.duplicates != "refuse":
        batches = _one_row_per_id(batches, spec, num_shards)
    # One empty batch per shard, so that every shard becomes a file.
    empty = root | "Shards" >> beam.Create([(shard, ("", -1, _pack([]))) for shard in range(num_shards)])
    written = (
        (batches, empty)
        | "AllShards" >> beam.Flatten()
        | "GroupShards" >> beam.GroupByKey()
        | "WriteShards"
        >> beam.FlatMap(_write_shard, num_shards, folder, staging, counted_late).with_outputs(_VALUES, main="written")
    )
    _write_counts(root, (rows[_COUNTS], written.written), os.path.join(staging, COUNTS_FILE))
    values = (rows[_VALUES], written[_VALUES]) | "AllValues" >> beam.Flatten() | "SumValues" >> beam.CombinePerKey(sum)
    dumped = root | "Values" >> beam.Create([os.path.join(staging, VALUES_FILE)])
    _ = dumped | "WriteValues" >> beam.Map(_dump_values, beam.pvalue.AsList(values))


def _row_groups(part: parts.FilePart, spec: TableSpec) -> Iterator[parts.FilePart]:
    """Part of a whole file -> parts of it that several workers can read. Packed files and workbooks stay whole."""
    if spec.format_of(part.file.name) != "parquet":
        # A file is opened only if it is large: an object store takes a tenth of a second for each.
        if part.file.size < 2 * spans.SPAN_BYTES:
            yield part
            return
        with contextlib.closing(part.file.open()) as file:
            found = spans.spans(file, spec, part.file.name)
        yield from (dataclasses.replace(part, span=span) for span in (found or (None,)))
        return
    from shortlist.tables.parquet_reader import ParquetReader

    with contextlib.closing(part.file.open()) as file:
        reader = readers.open_table(file, spec, part.file.name)
        # A Parquet file within a zip file is unpacked anew by each reader.
        if not isinstance(reader, ParquetReader) or zip_files.is_zip(file):
            yield part
            return
        row_groups = reader.row_groups
    for start_and_stop in parts.row_group_ranges(row_groups):
        yield dataclasses.replace(part, row_groups=start_and_stop)


class _ReadFn(beam.DoFn):
    """Part -> (shard, `Batch`), counts, and the values of the columns `counted`.

    If only one row per id may remain, part -> (id, (source_path, source_row, example)).
    """

    def __init__(self, spec: TableSpec, num_shards: int, counted: list[str]):
        self._spec = spec
        self._num_shards = num_shards
        self._counted = counted
        self._id = keys.QUERY_ID if spec.kind == "queries" else keys.CANDIDATE_ID

    def setup(self) -> None:
        self._encoder = Encoder(self._spec)

    def process(self, part: parts.FilePart) -> Iterator[Any]:
        name = part.file.name
        values_counted = value_counts.ValueCounts(self._counted)
        first_shard = part.number + (part.row_groups or (0,))[0]
        if part.span is not None:
            first_shard += part.span.first_row // readers.BATCH_ROWS
        with contextlib.closing(part.file.open()) as file:
            reader = readers.open_table(file, self._spec, name, part.row_groups, part.span)
            for index, rows in enumerate(readers.batches(reader, self._spec)):
                examples = self._encoder.encode(rows, name)
                progress.count(len(rows), "rows")
                values_counted.add(
                    {
                        name: [float(value) for _, values in rows for value in values[name]]
                        for name in values_counted.columns
                    }
                )
                if self._spec.duplicates == "refuse":
                    yield (first_shard + index) % self._num_shards, (name, rows[0][0], _pack(examples))
                else:
                    for (row, values), example in zip(rows, examples, strict=True):
                        yield values[self._id][0], (name, row, example)
            yield beam.pvalue.TaggedOutput(_COUNTS, (ROWS_READ, reader.rows_read))
            yield beam.pvalue.TaggedOutput(_COUNTS, (ROWS_FILTERED, reader.rows_dropped))
        for count in values_counted.counts():
            yield beam.pvalue.TaggedOutput(_VALUES, count)


def _one_row_per_id(rows: PCollection, spec: TableSpec, num_shards: int) -> PCollection:
    """(id, row) -> (shard, `Batch` with the first or last row of the id)."""
    # Rows compare by (source_path, source_row): the minimum is the first one.
    choose = min if spec.duplicates == "first" else max
    return (
        rows
        | "OneRowPerId" >> beam.CombinePerKey(choose)
        | "Batch"
        >> beam.MapTuple(lambda key, row: (zlib.crc32(key.encode()) % num_shards, (*row[:2], _pack([row[2]]))))
    )


def _write_shard(
    pair: tuple[int, Iterable[Batch]], num_shards: int, folder: str, staging: str, counted: list[str]
) -> Iterator[Any]:
    """(shard, batches) -> (`ROWS_WRITTEN`, rows), and the values of the columns `counted`."""
    shard, batches = pair
    path = os.path.join(folder, f"data_tfrecord-{shard:05d}-of-{num_shards:05d}.gz")
    values = value_counts.ValueCounts(counted)

    def examples() -> Iterator[bytes]:
        for _, _, compressed in sorted(batches):
            of_batch = _unpack(compressed)
            if values.columns:
                values.add(value_counts.decoded(of_batch, values.columns))
            yield from of_batch

    yield ROWS_WRITTEN, shards.write(examples(), path, staging)
    for count in values.counts():
        yield beam.pvalue.TaggedOutput(_VALUES, count)


def _pack(examples: list[bytes]) -> bytes:
    return zlib.compress(_EXAMPLES.encode(examples), level=1)


def _unpack(compressed: bytes) -> list[bytes]:
    return _EXAMPLES.decode(zlib.decompress(compressed))


def _write_counts(root: Pipeline, counts: Iterable[PCollection], path: str) -> None:
    summed = counts | "AllCounts" >> beam.Flatten() | "SumCounts" >> beam.CombinePerKey(sum)
    _ = root | "Counts" >> beam.Create([path]) | "WriteCounts" >> beam.Map(_dump_counts, beam.pvalue.AsDict(summed))


def _dump_counts(path: str, counts: Any) -> None:
    _dump(path, dict(counts))


def _dump_values(path: str, counts: Any) -> None:
    _dump(path, value_counts.by_column(counts))


def _dump(path: str, content: Any) -> None:
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(content, sort_keys=True))
