"""What the readers of all formats share: which columns they need, which rows they drop, how they name a place."""

from __future__ import annotations

import abc
import difflib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.config import row_filter
from shortlist.errors import DataError
from shortlist.tables.spec import TableSpec

Row = tuple[int, dict[str, Any]]


class TableReader(abc.ABC):
    """Iterates over `(row number, {column: cell})`; knows where it is."""

    columns: Sequence[str] = ()
    """All columns of the file."""

    time_columns: frozenset[str] = frozenset()
    """Columns that the file itself keeps as times: their cells are exact seconds, `int` or `Fraction`."""

    rows_dropped = 0
    """Rows so far that the filter did not keep."""

    def __init__(self, spec: TableSpec, name: str):
        self._spec = spec
        self._name = name
        self._row = -1
        self._first_row = 0
        self._filter = row_filter.parse(spec.filter) if spec.filter else None
        # Where the config names each column that is read.
        self._keys = dict.fromkeys(self._filter.columns if self._filter else (), f"data.{spec.kind}.filter")
        self._keys |= {column.column: column.key for column in spec.columns}

    @property
    def rows_read(self) -> int:
        """Rows so far, dropped ones too."""
        return self._row + 1 - self._first_row

    @property
    @abc.abstractmethod
    def bytes_read(self) -> int:
        """Bytes so far, decompressed."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers from 0 and the cells of the needed columns, dropped rows too."""

    @abc.abstractmethod
    def estimated_rows(self, size: int) -> int:
        """Returns about how many rows the file has: exactly where it was read to its end or says it itself.

        Args:
          size: Bytes of the file.
        """

    def kept_rows(self, max_rows: int | None = None) -> Iterator[Row]:
        """Yields what iterating does, without the rows that the filter drops.

        Args:
          max_rows: Ends after so many rows, dropped ones too.

        Raises:
          DataError: The filter compares a cell with what it cannot be.
        """
        rows = iter(self) if max_rows is None else itertools.islice(self, max_rows)
        return rows if self._filter is None else self._filtered(rows, self._filter)

    def error(self, column: str | None, expected: str, got: str, remedy: str) -> DataError:
        """Returns the error of the row that is being read; `column` None blames the row."""
        where = [self._name, self._place(), *([f"column {column!r}"] if column is not None else [])]
        return DataError.from_parts(", ".join(part for part in where if part), expected, got, remedy)

    def _filtered(self, rows: Iterator[Row], wanted: row_filter.RowFilter) -> Iterator[Row]:
        for row, cells in rows:
            try:
                keeps = wanted.keeps(cells)
            except row_filter.FilterCellError as error:
                remedy = f"{error.bad.remedy} in data.{self._spec.kind}.filter"
                raise self.error(error.column, error.bad.expected, error.bad.got, remedy) from None
            if keeps:
                yield row, cells
            else:
                self.rows_dropped += 1

    def _place(self) -> str:
        return f"row {self._row} (from 0)" if self._row >= 0 else ""

    def _check_columns(self) -> None:
        for column, key in self._keys.items():
            count = self.columns.count(column)
            if count == 0:
                raise DataError.from_parts(
                    self._name,
                    f"a column {column!r}",
                    f"the columns {', '.join(map(repr, self.columns))}",
                    f"set {key} to one of them{nearest(column, self.columns)}",
                )
            if count > 1:
                raise DataError.from_parts(
                    self._name, f"one column {column!r}", f"{count} of that name", "rename or drop the others"
                )


def nearest(name: str, names: Sequence[str]) -> str:
    """Returns `; did you mean ...?` for the closest of `names`, or nothing."""
    close = difflib.get_close_matches(name, names, n=1) or [n for n in names if n.strip().lower() == name.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""
