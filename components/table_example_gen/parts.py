"""What one worker reads at a time, and how many shards all of it becomes: decided by bytes, never by the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import TableSpec

# A row of 20 bytes becomes an example of about 150: a shard is about 100 MB of examples, which one worker sorts.
SHARD_BYTES = 16 * 2**20
# What gzip or Parquet makes of a log is about a fifth of its text.
_PACKED = 5
# Each task reads the file's footer again.
_MAX_TASKS_A_FILE = 64


@dataclasses.dataclass(frozen=True)
class FilePart:
    """A file, or some row groups of a Parquet file."""

    file: InputFile
    number: int
    """Which of the table's files it is, from 0."""
    row_groups: tuple[int, int] | None = None
    """First, and the one after the last; None for the whole file."""


def num_shards(files: Sequence[InputFile], spec: TableSpec) -> int:
    """Returns how many shards a table is written in: one for each 16 MB of text; gzip and Parquet count five times."""
    text_bytes = sum(file.size * (_PACKED if _is_packed(file, spec) else 1) for file in files)
    return max(1, -(-text_bytes // SHARD_BYTES))


def row_group_ranges(row_groups: int) -> Iterator[tuple[int, int]]:
    """Yields ranges of row groups that are read together, so that all cores share a large Parquet file."""
    step = max(1, -(-row_groups // _MAX_TASKS_A_FILE))
    for start in range(0, row_groups, step):
        yield start, min(start + step, row_groups)


def _is_packed(file: InputFile, spec: TableSpec) -> bool:
    return file.name.lower().endswith(".gz") or spec.format_of(file.name) == "parquet"
