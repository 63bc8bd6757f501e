"""Batches of a Parquet file's rows, in bounded memory whatever the file declares.

A kilobyte of Parquet can stand for gigabytes: rows refer to one large cell of a dictionary, and run lengths repeat a
row or the elements of a list. So the number of rows to decode at once follows from the headers of the pages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as arrow

from shortlist.tables import parquet_pages
from shortlist.tables.parquet import ParquetFile, is_list

MAX_ROW_BYTES = 16 * 2**20
"""Largest row, in the needed columns; the same as the longest line of a text file."""

MAX_LIST_ELEMENTS = 1_000_000
"""Most elements in the list of one cell."""

MAX_PAGE_BYTES = 256 * 2**20
"""Largest page, decompressed. Writers make pages of about 1 MB."""

MAX_GROUP_ELEMENTS = 32_000_000
"""Most elements of a list column in one row group: nothing tells how many of them are in one row."""

# A batch is in memory twice: as an Arrow batch and as Python cells.
_BATCH_ROWS = 4096
_BATCH_BYTES = 16 * 2**20
_CELL_BYTES = 64  # Of a Python object, beside its content.
_FIXED_BYTES = 12
_READ_AHEAD_BYTES = 2**20
_MAX_DECODED_BYTES = 256 * 2**20


@dataclasses.dataclass(frozen=True)
class _Sizes:
    """Bounds for one column chunk."""

    row_bytes: float
    """Largest size in bytes of the cells of an average row."""

    is_expanding_list: bool = False
    """Whether one list could refer to large texts so often that it must not be decoded before its size is known."""


def batches(
    source: BinaryIO, file: ParquetFile, group: int, columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields a row group's rows in file order, and their size in bytes, in batches of up to 4,096 rows or 16 MB.

    Args:
      source: The opened file itself.
      file: The file, opened by pyarrow.
      group: Number of the row group.
      columns: Names of the columns to read.

    Raises:
      TooLarge: A page, a row or a list is over its limit.
      BadPages: The pages cannot be followed.
    """
    leaves = _leaves(file, columns)
    sizes = {leaf: _sizes(source, file, group, leaf) for leaf in leaves}
    row_bytes = max(1.0, sum(size.row_bytes for size in sizes.values()))
    batch_rows = max(1, min(_BATCH_ROWS, int(_BATCH_BYTES / row_bytes)))
    undecoded = [file.metadata.schema.column(leaf).path for leaf, size in sizes.items() if size.is_expanding_list]
    if undecoded:
        file = ParquetFile(source, metadata=file.metadata, read_dictionary=undecoded)
    for batch in file.iter_batches(batch_size=batch_rows, row_groups=[group], columns=list(columns), use_threads=False):
        yield from _in_parts(batch)


def _leaves(file: ParquetFile, columns: Sequence[str]) -> list[int]:
    """Returns the numbers of the physical columns that belong to columns; those of a list have other names."""
    schema = file.metadata.schema
    paths = [schema.column(leaf).path for leaf in range(len(schema))]
    starts = tuple(f"{column}." for column in columns)
    return [leaf for leaf, path in enumerate(paths) if path in columns or path.startswith(starts)]


def _sizes(source: BinaryIO, file: ParquetFile, group: int, leaf: int) -> _Sizes:
    metadata = file.metadata.row_group(group)
    column = metadata.column(leaf)
    declared = file.metadata.schema.column(leaf)
    elements, value_bytes, dictionary_bytes = 0, 0.0, 0
    is_dictionary_first = None
    for page in parquet_pages.pages(source, column):
        if page.size > MAX_PAGE_BYTES:
            raise parquet_pages.TooLarge(
                f"pages of at most {MAX_PAGE_BYTES // 2**20} MB",
                f"one of {page.size // 2**20:,} MB in the column {column.path_in_schema!r}",
                "write the file with the default page size",
            )
        if page.is_dictionary:
            dictionary_bytes = page.size
            continue
        elements += page.values
        if is_dictionary_first is None:
            is_dictionary_first = page.repeats_values and not page.is_delta
        if page.is_delta:
            value_bytes = max(value_bytes, page.size)
        elif not page.repeats_values:
            value_bytes = max(value_bytes, page.size / max(page.values, 1))
    if dictionary_bytes:
        largest = min(dictionary_bytes, max(declared.length or 0, _FIXED_BYTES))
        if column.physical_type == "BYTE_ARRAY":
            largest = dictionary_bytes
            if is_dictionary_first and dictionary_bytes * _BATCH_ROWS > _BATCH_BYTES:
                largest = _largest_entry(source, file, group, leaf, dictionary_bytes)
        value_bytes = max(value_bytes, largest)
    is_list = declared.max_repetition_level > 0
    if is_list and elements > MAX_GROUP_ELEMENTS:
        raise parquet_pages.TooLarge(
            f"at most {MAX_GROUP_ELEMENTS:,} list elements per row group",
            f"{elements:,} in the column {column.path_in_schema!r}",
            "write smaller row groups",
        )
    row_elements = elements / max(metadata.num_rows, 1) if is_list else 1
    is_expanding = is_list and dictionary_bytes > 0 and elements * value_bytes > _MAX_DECODED_BYTES
    return _Sizes((value_bytes + _CELL_BYTES) * row_elements, is_expanding)


def _largest_entry(source: BinaryIO, file: ParquetFile, group: int, leaf: int, dictionary_bytes: int) -> int:
    """Returns the length in bytes of the largest text in a column chunk's dictionary, of which no row is decoded."""
    path = file.metadata.schema.column(leaf).path
    # Read ahead instead of the whole column chunk, of which only the first pages are needed.
    undecoded = ParquetFile(source, metadata=file.metadata, read_dictionary=[path], buffer_size=_READ_AHEAD_BYTES)
    for batch in undecoded.iter_batches(batch_size=1, row_groups=[group], columns=[path], use_threads=False):
        array = batch.column(0)
        while is_list(array.type):
            array = array.values
        if arrow.is_dictionary(array.type):
            return int(pc.max(pc.binary_length(array.dictionary)).as_py() or 0)
        break
    return dictionary_bytes


def _in_parts(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yields a batch with its size, or its halves if it is too large: rows can be of very different sizes."""
    size, elements = 0, 0
    for array in batch.columns:
        column_bytes, column_elements = _decoded(array)
        size, elements = size + column_bytes, max(elements, column_elements)
    if batch.num_rows > 1 and (size > _BATCH_BYTES or elements > MAX_LIST_ELEMENTS):
        half = batch.num_rows // 2
        yield from _in_parts(batch.slice(0, half))
        yield from _in_parts(batch.slice(half))
        return
    if batch.num_rows == 1 and elements > MAX_LIST_ELEMENTS:
        raise parquet_pages.TooLarge(
            f"lists of at most {MAX_LIST_ELEMENTS:,} elements", f"one of {elements:,}", "split the row"
        )
    if batch.num_rows == 1 and size > MAX_ROW_BYTES:
        raise parquet_pages.TooLarge(
            f"rows of at most {MAX_ROW_BYTES // 2**20} MB in the needed columns",
            f"one of {size / 2**20:,.0f} MB",
            "shorten its texts",
        )
    yield batch, size


def _decoded(array: pa.Array) -> tuple[int, int]:
    """Returns the size in bytes of an array after decoding, and the number of elements in its lists."""
    elements = 0
    if is_list(array.type):
        array = array.flatten()
        elements = len(array)
    if not arrow.is_dictionary(array.type):
        return array.nbytes, elements
    dictionary = array.dictionary
    if not (arrow.is_string(dictionary.type) or arrow.is_binary(dictionary.type)):
        return array.nbytes, elements
    lengths = pc.take(pc.cast(pc.binary_length(dictionary), pa.int64()), array.indices)
    return int(pc.sum(lengths).as_py() or 0), elements
