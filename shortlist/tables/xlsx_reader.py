"""Reader for the first sheet of Excel workbooks (.xlsx), row by row."""

from __future__ import annotations

import datetime
import itertools
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import openpyxl

from shortlist.errors import DataError
from shortlist.scalars import BadCell, text_of
from shortlist.tables import zip_files
from shortlist.tables.spec import TableSpec
from shortlist.tables.table_reader import Row, TableReader

# Excel's own limit; a file may declare more, and openpyxl would fill the gap with blank rows.
MAX_ROWS = 2**20
# openpyxl keeps the shared strings and the styles in memory, three to five times as large.
_MAX_PART_BYTES = 128 * 2**20
# Sheets of repeated rows reach about 100; a part beyond this may be one endless row, or elements within elements, of
# which each takes 300 bytes of memory.
_MAX_COMPRESSION = 200
_MIN_DENSE_BYTES = 8 * 2**20
# Blank cells before the last one of a row are filled in.
_MAX_CELLS = 100_000_000
_SHEETS = "xl/worksheets/"
_LIKE_SHEETS = (_SHEETS, "xl/media/", "xl/drawings/", "xl/embeddings/", "xl/calcChain")
_NUMBER_BYTES = 8


class XlsxReader(TableReader):
    """Reads the first sheet. Dates and times are ISO 8601 texts, formulas their last values.

    Row numbers count the rows after the header that are not blank.
    """

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str):
        super().__init__(spec, name)
        self._sheet_row = 0
        self._bytes_read = 0
        self._is_read = False
        _check_sizes(file, name)
        try:
            # Warnings are about styles and extensions, which do not change cells.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = workbook.worksheets[0]
            self._declared_rows = sheet.max_row or 0
            # Writers get the declared size wrong, and rows would be cut to it.
            sheet.reset_dimensions()
        except Exception as error:
            raise self._unreadable(error) from None
        self._rows = self._sheet_rows(sheet)
        if spec.dialect.header:
            self.columns = self._header()
        else:
            self.columns = list(spec.dialect.columns or ())
        if self.columns:
            self._check_columns()

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and cells: text, bool, int, float or None. Blank rows are skipped."""
        width = len(self.columns)
        needed = list(self._keys)
        places = {column: place for place, column in enumerate(self.columns)}
        indices = [places[column] for column in needed if self.columns]
        for cells in self._rows:
            self._row += 1
            if len(cells) > width and any(cell is not None for cell in cells[width:]):
                source = "the header" if self._spec.dialect.header else f"data.{self._spec.kind}.columns"
                got = f"a cell in column {max(i for i, cell in enumerate(cells, start=1) if cell is not None)}"
                raise self.error(None, f"at most {width} cells as in {source}", got, "remove it or name its column")
            row = [_cell(cells[index]) if index < len(cells) else None for index in indices]
            self._bytes_read += sum(len(cell) if isinstance(cell, str) else _NUMBER_BYTES for cell in row)
            yield self._row, dict(zip(needed, row, strict=True))
        self._is_read = True

    @property
    def bytes_read(self) -> int:
        """Size of the cells read so far, about; 8 bytes for a number."""
        return self._bytes_read

    def estimated_rows(self, size: int) -> int:
        """Returns the number of rows that the sheet declares, or that were read."""
        if self._is_read:
            return self.rows_read
        return max(self.rows_read, min(self._declared_rows, MAX_ROWS))

    def _sheet_rows(self, sheet: Any) -> Iterator[tuple[Any, ...]]:
        """Yields the rows that are not blank."""
        rows = iter(sheet.iter_rows(values_only=True))
        cells_read = 0
        for self._sheet_row in itertools.count(1):
            try:
                cells = next(rows, None)
            except Exception as error:
                raise self._unreadable(error) from None
            if cells is None:
                return
            if self._sheet_row > MAX_ROWS:
                expected = f"at most {MAX_ROWS:,} rows, as in Excel"
                raise DataError.from_parts(self._name, expected, "more", "write the table as CSV")
            cells_read += len(cells)
            if cells_read > _MAX_CELLS:
                expected = f"at most {_MAX_CELLS:,} cells, with the blank ones before a row's last cell"
                raise DataError.from_parts(
                    self._name, expected, "more", "remove cells far to the right, or save as CSV"
                )
            if any(cell is not None for cell in cells):
                yield cells

    def _header(self) -> list[str]:
        cells = list(next(self._rows, ()))
        while cells and cells[-1] is None:
            cells.pop()
        try:
            return [text_of(_cell(cell)) or "" for cell in cells]
        except BadCell as bad:
            raise DataError.from_parts(f"{self._name}, header", bad.expected, bad.got, bad.remedy) from None

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, sheet row {self._sheet_row}" if place else ""

    def _unreadable(self, error: Exception) -> DataError:
        # openpyxl wraps the cause in three sentences of its own.
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        where = f"{self._name}, after sheet row {self._sheet_row}" if self._sheet_row else self._name
        return DataError.from_parts(where, "a whole Excel workbook with a sheet", reason, "save it again, or as CSV")


def _check_sizes(file: BinaryIO, name: str) -> None:
    """Refuses a workbook that would fill the memory."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except zip_files.ERRORS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError.from_parts(name, "a whole Excel workbook", reason, "save it again, or as CSV") from None
    for part in parts:
        is_dense = part.file_size > max(_MIN_DENSE_BYTES, _MAX_COMPRESSION * part.compress_size)
        is_kept = part.file_size > _MAX_PART_BYTES and not part.filename.startswith(_LIKE_SHEETS)
        if is_dense or is_kept:
            got = f"{part.filename} with {part.file_size:,} bytes, compressed to {part.compress_size:,}"
            raise DataError.from_parts(
                name,
                f"parts of at most {_MAX_PART_BYTES:,} bytes beside the sheets, and none of repetitions",
                got,
                "save the workbook as CSV",
            )


def _cell(value: Any) -> Any:
    """Returns a cell for `shortlist.scalars`."""
    if isinstance(value, datetime.datetime):
        # Excel has no dates without a time; a date is midnight.
        is_date = value.time() == datetime.time()
        return value.date().isoformat() if is_date else value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)
