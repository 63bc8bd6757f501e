"""Reader for CSV files, with strings as cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError
from shortlist.quoting import short_repr
from shortlist.tables.spec import TableSpec
from shortlist.tables.table_reader import Row, TableReader
from shortlist.tables.text_lines import MAX_LINE_BYTES, TextLines

# A limit for the whole process: Python's csv module has none per reader.
csv.field_size_limit(MAX_LINE_BYTES)


class CsvReader(TableReader):
    """Reads CSV as in RFC 4180: UTF-8 with or without a BOM, any line end, plain or gzip."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str):
        super().__init__(spec, name)
        self._line = 0
        self._lines = TextLines(file, name, "CSV")
        self._records = csv.reader(self._lines, strict=True)
        self.columns = self._next_record() or []
        if not self.columns:
            raise DataError.from_parts(
                name, "a header line with column names", "an empty file", "check how it was written"
            )
        # A file with another separator would otherwise fail with a missing column.
        if len(self.columns) == 1 and any(separator in self.columns[0] for separator in ";\t|"):
            raise DataError.from_parts(
                name,
                "columns separated by commas",
                f"the header {short_repr(self.columns[0])}",
                "write the file with commas",
            )
        self._check_columns()

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and string cells; blank lines are not counted as rows."""
        width = len(self.columns)
        needed = list(self._keys)
        indices = [self.columns.index(column) for column in needed]
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
        self._line = self._records.line_num + 1
        try:
            for record in self._records:
                if record:
                    return record
                self._line = self._records.line_num + 1
        except csv.Error as error:
            raise self._lines.error(self._line, "CSV with closed quotes", str(error), _remedy(error)) from None
        return None

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, line {self._line}" if place else ""

    def _ragged(self, record: list[str]) -> DataError:
        fields = f"{len(self.columns)} fields as in the header"
        remedy = "quote fields that contain commas or line ends, and write every field, also empty ones"
        return self.error(None, fields, str(len(record)), remedy)


def _remedy(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "end lines with LF or CRLF"
    return 'close every quote and double those inside quoted fields ("")'
