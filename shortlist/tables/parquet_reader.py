"""Reader for Parquet files, with exact Python cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from shortlist.errors import DataError
from shortlist.tables import parquet, parquet_batches, parquet_pages
from shortlist.tables.spec import TableSpec
from shortlist.tables.table_reader import MAX_COLUMNS, Row, TableReader

# Files with more rows or bytes than these consist of repetitions, which cost nothing in Parquet.
_MAX_ROWS_PER_BYTE = 100
_MIN_ROWS = 1_000_000
_MAX_RATIO = 1000
_MIN_BYTES = 256 * 2**20


class ParquetReader(TableReader):
    """Reads Parquet in batches of a few thousand rows. Strings, whole numbers and times stay exact."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str, row_groups: tuple[int, int] | None = None):
        """Opens a file.

        Args:
          file: A seekable file, opened for reading bytes.
          spec: The columns to read.
          name: Name of the file, for errors.
          row_groups: First row group to read, and the one after the last; all by default. Row numbers are always those
            of the whole file.
        """
        super().__init__(spec, name)
        self._source = file
        self._size = file.seek(0, 2)
        try:
            parquet_pages.check_footer(file)
            self._file = parquet.ParquetFile(file)
            schema = self._file.schema_arrow
            self.columns = list(schema.names)
            if len(self.columns) > MAX_COLUMNS:
                raise self.too_many_columns()
            self._rows_of_groups = parquet.rows_of_groups(self._file)
        except parquet_pages.TooLarge as error:
            raise DataError.from_parts(name, error.expected, error.got, error.remedy) from None
        except (*parquet.ERRORS, parquet_pages.BadPages) as error:
            raise self._unreadable(error) from None
        except RuntimeError:  # Raised by `pyarrow_hotfix`.
            expected, got = "plain column types", "a pickled Python type, which is code and was not run"
            raise DataError.from_parts(name, expected, got, "write the column as its plain storage type") from None
        self._check_row_counts()
        self._check_columns()
        self._check_types()
        self.time_columns = frozenset(field.name for field in schema if parquet.is_time(field.type))
        self.nested_columns = frozenset(
            field.name for field in schema if not parquet.is_time(field.type) and parquet.is_nested(field.type)
        )
        self._start, self._stop = row_groups or (0, self.row_groups)
        self._first_row = sum(self._rows_of_groups[: self._start])
        self._row = self._first_row - 1
        self._bytes_read = 0

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far, decompressed."""
        return self._bytes_read

    @property
    def row_groups(self) -> int:
        """Number of row groups in the file."""
        return len(self._rows_of_groups)

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and Python cells for `shortlist.scalars`."""
        needed = list(self._keys)
        try:
            for group in range(self._start, self._stop):
                end = self._row + self._rows_of_groups[group]
                for batch, size in parquet_batches.batches(self._source, self._file, group, needed):
                    self._count_bytes(size)
                    cells = [self._cells(batch, column) for column in needed]
                    for record in zip(*cells, strict=True):
                        self._row += 1
                        yield self._row, dict(zip(needed, record, strict=True))
                if self._row != end:
                    raise self._unreadable(ValueError(f"row group {group} has other rows than it declares"))
        except parquet_pages.TooLarge as error:
            raise DataError.from_parts(
                f"{self._name}, after row {self._row}", error.expected, error.got, error.remedy
            ) from None
        except (*parquet.ERRORS, parquet_pages.BadPages) as error:
            raise self._unreadable(error) from None

    def estimated_rows(self, size: int) -> int:
        """Returns the exact number of rows, from the file's footer."""
        return sum(self._rows_of_groups)

    def _cells(self, batch: Any, column: str) -> list[Any]:
        return parquet.cells(batch.column(batch.schema.get_field_index(column)))

    def _check_row_counts(self) -> None:
        rows = sum(self._rows_of_groups)
        if min(self._rows_of_groups, default=0) < 0 or rows != self._file.metadata.num_rows:
            raise self._unreadable(ValueError("the row groups have other rows than the file declares"))
        most = max(_MIN_ROWS, _MAX_ROWS_PER_BYTE * self._size)
        if rows > most:
            raise DataError.from_parts(
                self._name,
                f"at most {most:,} rows in {self._size:,} bytes",
                f"{rows:,}",
                "such rows are repetitions: write each row once, with a weight",
            )

    def _count_bytes(self, decoded: int) -> None:
        self._bytes_read += decoded
        most = max(_MIN_BYTES, _MAX_RATIO * self._size)
        if self._bytes_read > most:
            raise parquet_pages.TooLarge(
                f"at most {most / 2**20:,.0f} MB of cells in a file of {self._size:,} bytes",
                "more, decoded",
                "such cells are repetitions: write short ids instead of repeated texts",
            )

    def _check_types(self) -> None:
        uses: list[tuple[str, parquet.Use]] = [(column.column, column.type) for column in self._spec.columns]
        if self._filter is not None:
            uses += [(column, "filter") for column in self._filter.columns]
            uses += [(column, "filter_text") for column in sorted(self._filter.text_columns)]
        for column, use in uses:
            arrow_type = self._file.schema_arrow.field(column).type
            problem = parquet.type_problem(use, arrow_type)
            if problem is not None:
                expected, remedy = problem
                raise self.error(column, expected, str(arrow_type), remedy)

    def _unreadable(self, error: Exception) -> DataError:
        where = self._name
        if self._row >= 0:
            where += f", after row {self._row}"
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        # A limit of pyarrow 10 (apache/arrow#35692).
        if reason.startswith("Expected all lists to be of size="):
            remedy = "write the column as a list, whose rows may be null"
            return DataError.from_parts(where, "a value in every row of a fixed-size list", "a null", remedy)
        return DataError.from_parts(
            where, "a whole Parquet file", reason, "fetch or write it again, or set `format: csv`"
        )
