"""Row-by-row reading of tables: only the needed columns, and no type inference.

The readers accept any seekable binary file, Beam's included. Each fault in a file is a `DataError` with the file, the
row and, if known, the column. Rows count from 0, like `source_row`; lines count from 1, as in editors.
"""

from __future__ import annotations

import posixpath
import weakref
from collections.abc import Iterator
from typing import BinaryIO, cast, get_args

from shortlist.errors import DataError
from shortlist.scalars import BadCell
from shortlist.tables import magic, zip_files
from shortlist.tables.csv_reader import CsvReader
from shortlist.tables.json_array_reader import JsonArrayReader
from shortlist.tables.jsonl_reader import BLANKS, JsonlReader
from shortlist.tables.span import Span
from shortlist.tables.spec import ENDINGS, Format, TableSpec
from shortlist.tables.table_reader import TableReader, nearest
from shortlist.tables.text_lines import TextLines
from shortlist.tables.values import Values, parsers

__all__ = ["ParsedRow", "TableReader", "batches", "nearest", "open_table", "parsed_rows"]

ParsedRow = tuple[int, dict[str, Values]]

BATCH_ROWS = 1000
"""Most rows of a batch."""

_BATCH_BYTES = 16 * 2**20


def open_table(
    file: BinaryIO,
    spec: TableSpec,
    name: str,
    row_groups: tuple[int, int] | None = None,
    span: Span | None = None,
) -> TableReader:
    """Returns a reader for an open file, after checking its header.

    Args:
      file: A seekable file, opened for reading bytes; the caller closes it.
      spec: The columns to read.
      name: Name of the file for errors: its path relative to the data root.
      row_groups: For Parquet, the first row group to read, and the one after the last; all by default.
      span: For CSV and JSON Lines, one of the file's `spans.spans`; the whole file by default.

    Raises:
      DataError: The file has another format, or a column is missing.
    """
    if zip_files.is_zip(file):
        return _open_zip(file, spec, name)
    return _open_plain(file, spec, name, row_groups, span)


def _open_plain(
    file: BinaryIO,
    spec: TableSpec,
    name: str,
    row_groups: tuple[int, int] | None = None,
    span: Span | None = None,
) -> TableReader:
    format = spec.format_of(name)
    if format == "csv":
        return CsvReader(file, spec, name, span)
    if format == "json" and (spec.format is not None or _is_array(file, spec, name)):
        return JsonArrayReader(file, spec, name)
    if format in ("jsonl", "json"):
        return JsonlReader(file, spec, name, span)
    if format in ("xlsx", "parquet"):
        magic.check(file.read(magic.HEAD_BYTES), spec.kind, name, format)
    if format == "xlsx":
        raise DataError.from_parts(
            name, magic.described(format), "no zip file, which each workbook is", f"set data.{spec.kind}.format: csv"
        )
    if format == "parquet":
        # Importing pyarrow takes half a second, which text files do not need.
        from shortlist.tables.parquet_reader import ParquetReader

        return ParquetReader(file, spec, name, row_groups)
    magic.check(file.read(magic.HEAD_BYTES), spec.kind, name, "csv")
    raise DataError.from_parts(
        name,
        f"a file name that ends in {', '.join(ENDINGS)}",
        repr(posixpath.basename(name)),
        f"rename the file, use a pattern as path, or set data.{spec.kind}.format, one of {', '.join(get_args(Format))}",
    )


def _open_zip(file: BinaryIO, spec: TableSpec, name: str) -> TableReader:
    """Returns a reader for a workbook, or for the only member of a zip file."""
    format = spec.format_of(name)
    names = zip_files.names_of(file, name)
    if any(member.startswith("xl/") for member in names):
        if format == "xlsx":
            from shortlist.tables.xlsx_reader import XlsxReader

            return XlsxReader(file, spec, name)
        raise DataError.from_parts(
            name,
            magic.described(format or "csv"),
            "an Excel workbook (.xlsx)",
            f"set data.{spec.kind}.format: xlsx, or rename the file",
        )
    if {"mimetype", "content.xml"} <= set(names):
        raise DataError.from_parts(
            name,
            magic.described(format or "csv"),
            "an OpenDocument file",
            "save it as .xlsx, e.g. with LibreOffice: soffice --convert-to xlsx log.ods",
        )
    packed, member_name = zip_files.member(file, name)
    inner = f"{name}/{member_name}"
    if spec.format_of(inner) in ("xlsx", "parquet"):
        unpacked = zip_files.on_disk(packed, name)
        try:
            reader = open_table(unpacked, spec, inner)
        except BaseException:
            unpacked.close()
            raise
        weakref.finalize(reader, unpacked.close)
        return reader
    return _open_plain(cast(BinaryIO, packed), spec, inner)


def _is_array(file: BinaryIO, spec: TableSpec, name: str) -> bool:
    """Returns whether a text begins with a bracket."""
    starts = (chunk.lstrip(BLANKS) for chunk in TextLines(file, spec, name, "json").chunks())
    return next(filter(None, starts), "").startswith("[")


def parsed_rows(reader: TableReader, spec: TableSpec, max_rows: int | None = None) -> Iterator[ParsedRow]:
    """Yields the number and the checked values of each row after the filter.

    Args:
      reader: Reader of a file.
      spec: The spec that the file was opened with.
      max_rows: Maximum number of rows to read, including dropped ones.

    Raises:
      DataError: A cell is not valid for its column's type.
    """
    parse_cells = parsers(spec.columns, reader.time_columns, spec.dialect.decimal)
    columns = [(column.name, column.column, parse) for column, parse in zip(spec.columns, parse_cells, strict=True)]
    for row, cells in reader.kept_rows(max_rows):
        parsed = {}
        for name, column, parse in columns:
            try:
                parsed[name] = parse(cells[column])
            except BadCell as bad:
                raise reader.error(column, bad.expected, bad.got, bad.remedy) from None
        yield row, parsed


def batches(reader: TableReader, spec: TableSpec) -> Iterator[list[ParsedRow]]:
    """Yields `parsed_rows` in batches of up to 1,000 rows or 16 MB, because memory holds several copies of a batch."""
    batch: list[ParsedRow] = []
    start = reader.bytes_read
    for row in parsed_rows(reader, spec):
        batch.append(row)
        if len(batch) == BATCH_ROWS or reader.bytes_read - start > _BATCH_BYTES:
            yield batch
            batch, start = [], reader.bytes_read
    if batch:
        yield batch
