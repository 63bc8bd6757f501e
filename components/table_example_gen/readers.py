"""Streams a table row by row: only the columns that are needed, nothing inferred.

Works on any seekable binary file, Beam's included. What a file has wrong with
it is a `DataError` that names the file, the row and, where there is one, the
column. Rows count from 0, as `source_row` does; lines count from 1, as editors do.
"""

from __future__ import annotations

import abc
import csv
import difflib
import functools
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from components.table_example_gen import values
from components.table_example_gen.spec import ENDINGS, ColumnSpec, TableSpec
from shortlist.errors import DataError

Row = tuple[int, dict[str, Any]]

_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# A "line" longer than this is no CSV; without a limit it would be read into memory whole.
_MAX_LINE_BYTES = 16 * 2**20


class TableReader(abc.ABC):
    """Iterates over `(row number, {column: cell})`; knows where it is."""

    def __init__(self, spec: TableSpec, name: str):
        self._spec = spec
        self._name = name
        self._row = -1
        self.columns: list[str] = []

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers from 0 and the cells of the needed columns."""

    def error(self, column: ColumnSpec | None, expected: str, got: str, remedy: str) -> DataError:
        """Returns the error of the row that is being read; `column` None blames the row."""
        where = [self._name, self._place(), *([f"column {column.column!r}"] if column else [])]
        return data_error(", ".join(part for part in where if part), expected, got, remedy)

    def _place(self) -> str:
        return f"row {self._row} (from 0)" if self._row >= 0 else ""

    def _check_columns(self) -> None:
        for column in self._spec.columns:
            count = self.columns.count(column.column)
            if count == 0:
                raise _missing(self._name, column, self.columns)
            if count > 1:
                raise data_error(
                    self._name, f"one column {column.column!r}", f"{count} of that name", "rename or drop the others"
                )


def open_table(file: BinaryIO, spec: TableSpec, name: str) -> TableReader:
    """Returns a reader of an open file, its header already checked.

    Args:
      file: Seekable, opened for reading bytes; the caller closes it.
      spec: The columns to read.
      name: What errors call the file: its path relative to the data root.

    Raises:
      DataError: Not a file of that format, or a column is missing.
    """
    reader = {"csv": CsvReader, "parquet": ParquetReader}.get(spec.format_of(name) or "")
    if reader is None:
        raise data_error(
            name,
            f"a file name that ends in {', '.join(ENDINGS)}",
            "another one",
            f"rename the file, name the files by a pattern, or set data.{spec.kind}.format to csv, jsonl or parquet",
        )
    return reader(file, spec, name)


def parsed_rows(reader: TableReader, spec: TableSpec) -> Iterator[tuple[int, dict[str, values.Values]]]:
    """Yields each row's number and the checked values of each feature.

    Raises:
      DataError: A cell is not what its column's type allows.
    """
    parsers = [(column, column.name, column.column, values.parser(column)) for column in spec.columns]
    for row, cells in reader:
        parsed = {}
        for column, name, key, parse in parsers:
            try:
                parsed[name] = parse(cells[key])
            except values.BadValue as bad:
                raise reader.error(column, bad.expected, bad.got, bad.remedy) from None
        yield row, parsed


def data_error(where: str, expected: str, got: str, remedy: str) -> DataError:
    """Returns the one sentence that every refusal of a table is made of."""
    sentence = f"{where}: expected {expected}, got {got}; {remedy}"
    return DataError(" ".join(sentence.split()))


def nearest(name: str, names: Sequence[str]) -> str:
    """Returns `; did you mean ...?` for the closest of `names`, or nothing."""
    close = difflib.get_close_matches(name, names, n=1) or [n for n in names if n.strip().lower() == name.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""


class CsvReader(TableReader):
    """CSV as RFC 4180 has it: UTF-8 (a BOM is dropped), any line end, plain or gzip (told by content)."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str):
        super().__init__(spec, name)
        self._line = 0
        self._file = self._decompressed(file)
        self._records = csv.reader(self._lines(), strict=True)
        self.columns = self._next_record() or []
        if not self.columns:
            raise data_error(name, "a header line with column names", "an empty file", "check how it was written")
        self._check_columns()

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and string cells; blank lines are no rows."""
        width = len(self.columns)
        needed = list(dict.fromkeys(column.column for column in self._spec.columns))
        indices = [self.columns.index(column) for column in needed]
        while (record := self._next_record()) is not None:
            self._row += 1
            if len(record) != width:
                raise self._ragged(record)
            yield self._row, {column: record[index] for column, index in zip(needed, indices, strict=True)}

    def _next_record(self) -> list[str] | None:
        """Returns the fields of the next line that is not blank; None at the end."""
        self._line = self._records.line_num + 1
        try:
            for record in self._records:
                if record:
                    return record
                self._line = self._records.line_num + 1
        except csv.Error as error:
            raise self._line_error(self._line, "CSV with quotes that close", str(error), _csv_remedy(error)) from None
        except (OSError, EOFError, zlib.error) as error:
            raise data_error(
                self._name, "a file that can be read to its end", _reason(error), "fetch or write it again"
            ) from None
        return None

    def _lines(self) -> Iterator[str]:
        lines = iter(functools.partial(self._file.readline, _MAX_LINE_BYTES), b"")
        for number, line in enumerate(lines, start=1):
            if number == 1:
                line = self._without_bom(line)
            if b"\0" in line:
                raise self._line_error(number, "text", "a NUL byte", "write the file as UTF-8 CSV, without NULs")
            if len(line) >= _MAX_LINE_BYTES:
                raise self._line_error(
                    number, "lines of text", "a line of over 16 MB", "check how the file was written"
                )
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                got = f"the byte 0x{line[error.start]:02x} at position {error.start} of the line"
                raise self._line_error(number, "UTF-8", got, "write the file as UTF-8") from None

    def _without_bom(self, line: bytes) -> bytes:
        if line.startswith(_UTF16_BOMS):
            raise data_error(self._name, "UTF-8", "UTF-16", "save the file as UTF-8 CSV")
        return line.removeprefix(_UTF8_BOM)

    def _decompressed(self, file: BinaryIO) -> BinaryIO:
        magic = file.read(len(_GZIP_MAGIC))
        file.seek(0)
        # Beam's own decompression takes a truncated file for a whole one.
        return io.BufferedReader(gzip.GzipFile(fileobj=file)) if magic == _GZIP_MAGIC else file

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, line {self._line}" if place else ""

    def _line_error(self, number: int, expected: str, got: str, remedy: str) -> DataError:
        return data_error(f"{self._name}, line {number}", expected, got, remedy)

    def _ragged(self, record: list[str]) -> DataError:
        fields = f"{len(self.columns)} fields as in the header"
        remedy = "quote fields that hold commas or line ends, and write every field, empty ones too"
        return self.error(None, fields, str(len(record)), remedy)


class ParquetReader(TableReader):
    """Parquet: row group by row group, strings kept, whole numbers exact."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str):
        from components.table_example_gen import parquet  # pyarrow costs half a second, CSV does without

        super().__init__(spec, name)
        self._parquet = parquet
        try:
            self._file = parquet.ParquetFile(file)
            self.columns = list(self._file.schema_arrow.names)
        except parquet.ERRORS as error:
            raise self._unreadable(error) from None
        except RuntimeError:  # The one that `pyarrow_hotfix` raises.
            expected, got = "plain column types", "a pickled Python type, which is code and was not run"
            raise data_error(name, expected, got, "write the column as the type that it is stored in") from None
        self._check_columns()
        for column in spec.columns:
            self._check_type(column)

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and Python cells as `values` takes them."""
        needed = list(dict.fromkeys(column.column for column in self._spec.columns))
        try:
            for batch in self._parquet.batches(self._file, needed):
                cells = [self._cells(batch, column) for column in needed]
                for record in zip(*cells, strict=True):
                    self._row += 1
                    yield self._row, dict(zip(needed, record, strict=True))
        except self._parquet.ERRORS as error:
            raise self._unreadable(error) from None

    def _cells(self, batch: Any, column: str) -> list[Any]:
        return self._parquet.cells(batch.column(batch.schema.get_field_index(column)))

    def _check_type(self, column: ColumnSpec) -> None:
        arrow_type = self._file.schema_arrow.field(column.column).type
        problem = self._parquet.type_problem(column.type, arrow_type)
        if problem is not None:
            expected, remedy = problem
            raise self.error(column, expected, str(arrow_type), remedy)

    def _unreadable(self, error: Exception) -> DataError:
        place = f", after row {self._row}" if self._row >= 0 else ""
        return data_error(
            self._name + place, "a whole Parquet file", _reason(error), "fetch or write it again, or set `format: csv`"
        )


def _missing(name: str, column: ColumnSpec, columns: Sequence[str]) -> DataError:
    remedy = f"set {column.key} to one of them{nearest(column.column, columns)}"
    if len(columns) == 1 and any(separator in columns[0] for separator in ";\t|"):
        remedy = "the file does not look comma separated: write it with commas"
    return data_error(name, f"a column {column.column!r}", f"the columns {', '.join(map(repr, columns))}", remedy)


def _csv_remedy(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "end lines with LF or CRLF"
    return 'close every quote and double those inside quoted fields ("")'


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
