"""Parts of a table that one worker reads, and the number of output shards; both depend on bytes, not on the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from shortlist.tables.inputs import InputFile
from shortlist.tables.span import Span
from shortlist.tables.spec import TableSpec

# A row of 20 bytes becomes an example of about 150: a shard is about 100 MB of examples, which one worker sorts.
SHARD_BYTES = 16 * 2**20
# A log in gzip, zip, a workbook or Parquet has about a fifth of the size of its text.
_COMPRESSION_RATIO = 5
# A limit, since each task reads the file's footer again.
_MAX_TASKS_PER_FILE = 64


@dataclasses.dataclass(frozen=True)
class FilePart:
    """A file, some row groups of a Parquet file, or a span of a text file."""

    file: InputFile
    number: int
    """Index among the table's files, from 0."""
    row_groups: tuple[int, int] | None = None
    """Index of the first row group, and of the one after the last; None for the whole file."""
    span: Span | None = None
    """Rows of a plain CSV or JSON Lines file; None for the whole file."""


def num_shards(files: Sequence[InputFile], spec: TableSpec) -> int:
    """Returns the number of output shards: one per 16 MB of text; bytes of compressed files count five times."""
    text_bytes = sum(_text_bytes(file, spec) for file in files)
    return max(1, -(-text_bytes // SHARD_BYTES))


def row_group_ranges(row_groups: int) -> Iterator[tuple[int, int]]:
    """Yields ranges of row groups, one per task, so that all cores share a large Parquet file."""
    step = max(1, -(-row_groups // _MAX_TASKS_PER_FILE))
    for start in range(0, row_groups, step):
        yield start, min(start + step, row_groups)


def _text_bytes(file: InputFile, spec: TableSpec) -> int:
    is_compressed = file.name.lower().endswith((".gz", ".zip")) or spec.format_of(file.name) in ("parquet", "xlsx")
    return file.size * (_COMPRESSION_RATIO if is_compressed else 1)
