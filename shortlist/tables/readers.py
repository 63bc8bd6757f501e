"""Streams a table row by row: only the columns that are needed, nothing inferred.

Works on any seekable binary file, Beam's included. What a file has wrong with
it is a `DataError` that names the file, the row and, where there is one, the
column. Rows count from 0, as `source_row` does; lines count from 1, as editors do.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError
from shortlist.scalars import BadCell
from shortlist.tables.csv_reader import CsvReader
from shortlist.tables.jsonl_reader import JsonlReader
from shortlist.tables.spec import ENDINGS, TableSpec
from shortlist.tables.table_reader import TableReader, nearest
from shortlist.tables.values import Values, parsers

__all__ = ["ParsedRow", "TableReader", "batches", "nearest", "open_table", "parsed_rows"]

ParsedRow = tuple[int, dict[str, Values]]

_BATCH_ROWS = 1000
_BATCH_BYTES = 16 * 2**20


def open_table(file: BinaryIO, spec: TableSpec, name: str, row_groups: tuple[int, int] | None = None) -> TableReader:
    """Returns a reader of an open file, its header already checked.

    Args:
      file: Seekable, opened for reading bytes; the caller closes it.
      spec: The columns to read.
      name: What errors call the file: its path relative to the data root.
      row_groups: Of a Parquet file: the first row group to read, and the one after the last.

    Raises:
      DataError: Not a file of that format, or a column is missing.
    """
    format = spec.format_of(name)
    if format == "csv":
        return CsvReader(file, spec, name)
    if format == "jsonl":
        return JsonlReader(file, spec, name)
    if format == "parquet":
        # pyarrow costs half a second, text does without.
        from shortlist.tables.parquet_reader import ParquetReader

        return ParquetReader(file, spec, name, row_groups)
    raise DataError.from_parts(
        name,
        f"a file name that ends in {', '.join(ENDINGS)}",
        repr(posixpath.basename(name)),
        f"rename the file, name the files by a pattern, or set data.{spec.kind}.format to csv, jsonl or parquet",
    )


def parsed_rows(reader: TableReader, spec: TableSpec, max_rows: int | None = None) -> Iterator[ParsedRow]:
    """Yields each kept row's number and the checked values of each feature.

    Args:
      reader: Of a file.
      spec: What it was opened with.
      max_rows: Ends after so many rows, dropped ones too.

    Raises:
      DataError: A cell is not what its column's type allows.
    """
    columns = [
        (column.name, column.column, parse)
        for column, parse in zip(spec.columns, parsers(spec.columns, reader.time_columns), strict=True)
    ]
    for row, cells in reader.kept_rows(max_rows):
        parsed = {}
        for name, column, parse in columns:
            try:
                parsed[name] = parse(cells[column])
            except BadCell as bad:
                raise reader.error(column, bad.expected, bad.got, bad.remedy) from None
        yield row, parsed


def batches(reader: TableReader, spec: TableSpec) -> Iterator[list[ParsedRow]]:
    """Yields `parsed_rows` by the thousand, fewer where rows are large: a batch is held in memory several times."""
    batch: list[ParsedRow] = []
    start = reader.bytes_read
    for row in parsed_rows(reader, spec):
        batch.append(row)
        if len(batch) == _BATCH_ROWS or reader.bytes_read - start > _BATCH_BYTES:
            yield batch
            batch, start = [], reader.bytes_read
    if batch:
        yield batch
