"""Base of the readers for all formats: needed columns, filtered rows, and locations for errors."""

from __future__ import annotations

import abc
import collections
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.config import row_filter
from shortlist.config.filter_cells import FilterCellError
from shortlist.errors import DataError
from shortlist.quoting import closest, listed
from shortlist.tables.spec import TableSpec

Row = tuple[int, dict[str, Any]]

MAX_COLUMNS = 10_000
"""Most columns of a file. A table of interactions has a few dozen; more are a matrix."""


class TableReader(abc.ABC):
    """Iterator over `(row number, {column: cell})` that keeps its position for errors."""

    columns: Sequence[str] = ()
    """All columns of the file."""

    time_columns: frozenset[str] = frozenset()
    """Columns that the file itself declares as times. Their cells are exact seconds, `int` or `Fraction`."""

    nested_columns: frozenset[str] = frozenset()
    """Columns that the file itself declares as objects or nested lists, which no type of feature reads."""

    rows_dropped = 0
    """Number of rows that the filter has dropped so far."""

    def __init__(self, spec: TableSpec, name: str):
        self._spec = spec
        self._name = name
        self._row = -1
        self._first_row = 0
        self._filter: row_filter.RowFilter | None = None
        # Config key of each column to read.
        self._keys: dict[str, str] = {}
        if spec.filter:
            formats = {column.column: column.time_format for column in spec.columns if column.time_format is not None}
            self._filter = row_filter.parse(spec.filter, spec.dialect.decimal, tuple(formats.items()))
            self._keys = dict.fromkeys(self._filter.columns, f"data.{spec.kind}.filter")
        self._keys |= {column.column: column.key for column in spec.columns}

    @property
    def rows_read(self) -> int:
        """Number of rows read so far, including dropped ones."""
        return self._row + 1 - self._first_row

    @property
    @abc.abstractmethod
    def bytes_read(self) -> int:
        """Number of bytes read so far, decompressed."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers from 0 and the cells of the needed columns, for all rows before the filter."""

    @abc.abstractmethod
    def estimated_rows(self, size: int) -> int:
        """Returns the estimated number of rows.

        The number is exact if the file was read to its end or declares it.

        Args:
          size: Size of the file in bytes.
        """

    def kept_rows(self, max_rows: int | None = None) -> Iterator[Row]:
        """Yields row numbers and cells like the iterator, without the rows that the filter drops.

        Args:
          max_rows: Maximum number of rows to read, including dropped ones; all by default.

        Raises:
          DataError: A cell cannot be compared as in the filter.
        """
        rows: Iterator[Row] = itertools.islice(self, max_rows)
        if self._filter is None:
            return rows
        return self._filtered(rows, self._filter)

    def error(self, column: str | None, expected: str, got: str, remedy: str) -> DataError:
        """Returns an error about the current row, or about its cell in `column`."""
        where = [self._name, self._place()]
        if column is not None:
            where.append(f"column {column!r}")
        return DataError.from_parts(", ".join(part for part in where if part), expected, got, remedy)

    def too_many_columns(self) -> DataError:
        """Returns the error for a file with more than `MAX_COLUMNS` columns."""
        return DataError.from_parts(
            self._name, f"at most {MAX_COLUMNS:,} columns", "more", "write values as rows, not as columns"
        )

    def _filtered(self, rows: Iterator[Row], condition: row_filter.RowFilter) -> Iterator[Row]:
        for row, cells in rows:
            try:
                keeps = condition.keeps(cells)
            except FilterCellError as error:
                remedy = f"{error.bad.remedy} in data.{self._spec.kind}.filter"
                raise self.error(error.column, error.bad.expected, error.bad.got, remedy) from None
            if keeps:
                yield row, cells
            else:
                self.rows_dropped += 1

    def _place(self) -> str:
        """Returns the current location in the file: "row 3 (from 0)"."""
        return f"row {self._row} (from 0)" if self._row >= 0 else ""

    def _check_columns(self) -> None:
        counts = collections.Counter(self.columns)
        for column, key in self._keys.items():
            count = counts[column]
            if count == 0:
                raise DataError.from_parts(
                    self._name,
                    f"a column {column!r}",
                    f"the columns {listed(self.columns)}",
                    f"set {key} to one of them{nearest(column, self.columns)}",
                )
            if count > 1:
                raise DataError.from_parts(
                    self._name, f"one column {column!r}", f"{count} of that name", "rename or remove the others"
                )


def nearest(name: str, names: Sequence[str]) -> str:
    """Returns `; did you mean ...?` with the closest of `names`, or an empty string."""
    close = closest(name, names) or next((other for other in names if other.strip().lower() == name.lower()), None)
    return f"; did you mean {close!r}?" if close else ""
