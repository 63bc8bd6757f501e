"""Reader for delimited text such as CSV, with strings as cells."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError
from shortlist.quoting import short_repr
from shortlist.tables import fields
from shortlist.tables.span import Span
from shortlist.tables.spec import TableSpec, has_typed_header
from shortlist.tables.table_reader import MAX_COLUMNS, Row, TableReader
from shortlist.tables.text_lines import MAX_BLANK_LINES, MAX_LINE_BYTES, TextLines

MAX_RECORD_LINES = 100_000
"""Most lines of one row, whose fields may have line ends in quotes."""


class CsvReader(TableReader):
    """Reads delimited text, such as CSV as in RFC 4180: any line end and encoding, plain or gzip."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str, span: Span | None = None):
        super().__init__(spec, name)
        self._line = self._lines_before = 0
        self._table = f"data.{spec.kind}"
        self._delimiter = spec.delimiter_of(name)
        is_first = span is None or span.start == 0
        self._lines = TextLines(file, spec, name, "csv", span.bounds if span is not None and is_first else None)
        self._record_characters = self._record_lines_read = 0
        lines = self._record_lines()
        self._first_line = next(lines, "")
        self._records = fields.records(itertools.chain([self._first_line], lines), self._delimiter)
        if not spec.dialect.header:
            self.columns = spec.dialect.columns or ()
            self._check_columns()
            if span is not None and not is_first:
                self._start_at(file, span)
            return
        self.columns = self._next_record() or []
        if has_typed_header(name):
            self.columns = [column.partition(":")[0] for column in self.columns]
        if len(self.columns) > MAX_COLUMNS:
            raise self.too_many_columns()
        # Engines write empty part files: a file without a header has no columns to check.
        if self.columns:
            self._check_header()
        if span is not None and not is_first:
            self._start_at(file, span)

    def _start_at(self, file: BinaryIO, span: Span) -> None:
        self._lines = TextLines(file, self._spec, self._name, "csv", span.bounds)
        self._records = fields.records(self._record_lines(), self._delimiter)
        self._lines_before = span.first_line
        self._first_row, self._row = span.first_row, span.first_row - 1

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and string cells; blank lines are not counted as rows."""
        width = len(self.columns)
        needed = list(self._keys)
        places = {column: place for place, column in enumerate(self.columns)}
        indices = [places[column] for column in needed if self.columns]
        while (record := self._next_record()) is not None:
            self._row += 1
            if len(record) != width:
                raise self._ragged(record)
            yield self._row, {column: record[index] for column, index in zip(needed, indices, strict=True)}

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far, decompressed."""
        return self._lines.bytes_read

    def estimated_rows(self, size: int) -> int:
        """Returns the estimated number of rows, from the fraction of the file that was read."""
        share = self._lines.share_read(size)
        if not share:
            return 0
        return round(self.rows_read / share)

    def _next_record(self) -> list[str] | None:
        """Returns the fields of the next line that is not blank; None at the end of the file."""
        first = self._line = self._lines_before + self._records.line_num + 1
        self._record_characters = self._record_lines_read = 0
        try:
            for record in self._records:
                if record:
                    return record
                self._line = self._lines_before + self._records.line_num + 1
                self._record_characters = self._record_lines_read = 0
                if self._line - first > MAX_BLANK_LINES:
                    raise self._lines.blank_lines(self._line)
        except csv.Error as error:
            # Quotes beside another delimiter, `"a";"b"`, are no quotes of a field.
            if self._line == 1 and self._other_delimiter() is not None and '"' in str(error):
                raise self._wrong_delimiter() from None
            raise self._lines.error(self._line, "CSV with closed quotes", str(error), _remedy(error)) from None
        return None

    def _record_lines(self) -> Iterator[str]:
        """Yields the lines, and refuses a record of many lines, which the csv module would keep in memory."""
        for line in self._lines:
            self._record_characters += len(line)
            self._record_lines_read += 1
            if self._record_characters > MAX_LINE_BYTES or self._record_lines_read > MAX_RECORD_LINES:
                remedy = 'close every quote and double those inside quoted fields ("")'
                raise self._lines.error(
                    self._line,
                    f"rows of at most 16 MB and {MAX_RECORD_LINES:,} lines",
                    "a longer one, in quotes",
                    remedy,
                )
            yield line

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, line {self._line}" if place else ""

    def _check_header(self) -> None:
        """Refuses a header that lacks a column, and names a wrong delimiter or a missing header as the cause."""
        is_split = len(self.columns) > 1
        if not is_split and self._other_delimiter() is not None:
            raise self._wrong_delimiter()
        missing = [column for column in self._keys if column not in self.columns]
        if missing:
            other = self._other_delimiter()
            if other is not None and set(missing) <= set(self._first_line.strip("\r\n").split(other)):
                raise self._wrong_delimiter()
            if fields.looks_like_data(self.columns):
                raise self._no_header()
        self._check_columns()

    def _other_delimiter(self) -> str | None:
        other = fields.other_delimiter(self._first_line, self._delimiter)
        if other is None and self._delimiter != fields.BLANKS:
            # Names may have blanks: other signs must show that these separate columns.
            parts = self._first_line.split()
            if len(parts) > 1 and (fields.looks_like_data(parts) or self._keys.keys() & set(parts)):
                return fields.BLANKS
        return other

    def _wrong_delimiter(self) -> DataError:
        other = self._other_delimiter()
        return DataError.from_parts(
            self._name,
            f"columns separated by {_described(self._delimiter)}",
            f"the line {short_repr(self._first_line.strip())}",
            f"set {self._table}.delimiter: {_in_yaml(other or '')}",
        )

    def _no_header(self) -> DataError:
        return DataError.from_parts(
            self._name,
            "a header line with column names",
            f"the line {short_repr(self._first_line.strip())}",
            f"set {self._table}.header: false and {self._table}.columns to the {len(self.columns)} columns' names",
        )

    def _ragged(self, record: list[str]) -> DataError:
        width = len(self.columns)
        source = "in the header" if self._spec.dialect.header else f"{self._table}.columns"
        expected = f"{width} fields as {source}"
        if len(record) == 1 and self._row == 0 and self._other_delimiter() is not None:
            return self._wrong_delimiter()
        remedy = "quote fields that contain commas or line ends, and write every field, also empty ones"
        if self._delimiter != ",":
            remedy = f"write every field, also empty ones, and check {self._table}.delimiter"
        return self.error(None, expected, str(len(record)), remedy)


def _described(delimiter: str) -> str:
    names = {",": "commas", "\t": "tabs", fields.BLANKS: "blanks"}
    return names.get(delimiter, repr(delimiter))


def _in_yaml(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"'


def _remedy(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "end lines with LF or CRLF"
    return 'close every quote and double those inside quoted fields ("")'
