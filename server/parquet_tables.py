"""The Parquet tables that `serve` names: rows with errors that name the file, the column and the row."""

from __future__ import annotations

import datetime
import logging
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from server.known import encoded
from server.stored_values import StoredValues
from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.quoting import short_repr

_COLUMNS = (keys.QUERY_ID, keys.CANDIDATE_ID, keys.TIMESTAMP)
_BATCH = 65_536
_LOGGER = logging.getLogger("shortlist.server")

Row = tuple[str, str, int, int, bytes]
"""Query id, candidate id, whole seconds, nanoseconds after them, and the interaction's features, see `encoded`."""


class Table:
    """A Parquet file, read in batches of rows."""

    def __init__(self, path: pathlib.Path, what: str, needed: tuple[str, ...]) -> None:
        """Opens the file.

        Args:
          path: The file.
          what: Its content, for messages.
          needed: Columns that it must have.

        Raises:
          BadInputError: It cannot be read, lacks a column, or has two of one name.
        """
        self._path = path
        self._what = what
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from None
        self.names: list[str] = self._file.schema_arrow.names
        missing = sorted(set(needed) - set(self.names))
        if missing:
            raise BadInputError.from_parts(path, f"the columns {list(needed)}", f"none of {missing}")
        for name in self.names:
            if self.names.count(name) > 1:
                raise BadInputError.from_parts(path, f"one column {name!r}", "several", "rename or remove the others")

    def type_of(self, name: str) -> pa.DataType:
        """Returns the type of a column."""
        return self._file.schema_arrow.field(name).type

    @property
    def num_bytes(self) -> int:
        """Size of the columns without compression."""
        metadata = self._file.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))

    def batches(self, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yields batches with some columns, each with the number of its first row.

        Raises:
          BadInputError: The file is damaged.
        """
        first = 0
        batches = self._file.iter_batches(_BATCH, columns=columns)
        while True:
            try:
                batch = next(batches, None)
            except (OSError, pa.ArrowException) as error:
                raise self._unreadable(error) from None
            if batch is None:
                return
            yield first, batch
            first += len(batch)

    def ids(self, batch: pa.RecordBatch, name: str, first: int) -> list[str | None]:
        """Returns ids as texts; None for a missing one.

        Raises:
          BadInputError: The column has neither texts nor whole numbers, or a text is no UTF-8.
        """
        column, expected = batch.column(name), "texts or whole numbers"
        if not (is_text(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
            raise self.wrong(name, None, expected, f"values of type {column.type}")
        return self._python(self._cast(column, pa.string(), name, first, expected), name, first)

    def times(self, batch: pa.RecordBatch, name: str, first: int) -> tuple[list[int | None], list[int | None]]:
        """Returns times as whole seconds and nanoseconds after them; order numbers as they are.

        Raises:
          BadInputError: A value is neither a time nor a whole number.
        """
        column, expected = batch.column(name), "times or whole numbers of seconds"
        if pa.types.is_date(column.type):
            column = self._cast(column, pa.timestamp("s"), name, first, expected)
        if not pa.types.is_timestamp(column.type):
            return self._cast(column, pa.int64(), name, first, expected).to_pylist(), [0] * len(column)
        fine = self._cast(column, pa.timestamp("ns"), name, first, "times from 1678 to 2262").cast(pa.int64())
        seconds = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
        return seconds.to_pylist(), pc.subtract(fine, pc.multiply(seconds, 10**9)).to_pylist()

    def numbers(self, batch: pa.RecordBatch, name: str, first: int) -> list[float]:
        """Returns numbers, or times as seconds; NaN for a missing one.

        Raises:
          BadInputError: A value is neither.
        """
        column = batch.column(name)
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            column = self._cast(column, pa.timestamp("s"), name, first, "times", safe=False).cast(pa.int64())
        found: list[float] = pc.fill_null(column.cast(pa.float64(), safe=False), math.nan).to_pylist()
        return found

    def values(self, batch: pa.RecordBatch, name: str, first: int) -> list[Any]:
        """Returns values as requests have them: times as seconds, bytes as text.

        Raises:
          BadInputError: A text is no UTF-8.
        """
        return self._python(batch.column(name), name, first)

    def _python(self, column: pa.Array, name: str, first: int) -> list[Any]:
        try:
            return [_plain(value) for value in column.to_pylist()]
        except UnicodeDecodeError:
            for row, value in enumerate(column):
                try:
                    _plain(value.as_py())
                except UnicodeDecodeError as error:
                    raise self.wrong(name, first + row, "text in UTF-8", short_repr(error.object)) from None
            raise

    def _cast(
        self, column: pa.Array, kind: pa.DataType, name: str, first: int, expected: str, safe: bool = True
    ) -> pa.Array:
        try:
            return column.cast(kind, safe=safe)
        except pa.ArrowException:
            for row in range(len(column)):
                try:
                    column.slice(row, 1).cast(kind, safe=safe)
                except pa.ArrowException:
                    raise self.wrong(name, first + row, expected, _shown(column, row)) from None
            raise self.wrong(name, None, expected, f"values of type {column.type}") from None

    def wrong(self, column: str, row: int | None, expected: str, got: str) -> BadInputError:
        """Returns the error of a wrong value.

        Args:
          column: Its column.
          row: Its row, counted from 0; None for all.
          expected: A description of what the column may have.
          got: The value.
        """
        where = f"{self._path}, column {column!r}" + ("" if row is None else f", row {row} (from 0)")
        return BadInputError.from_parts(where, expected, got)

    def _unreadable(self, error: Exception) -> BadInputError:
        return BadInputError.from_reason(self._path, f"a Parquet file of {self._what}", str(error).split("\n")[0])


def read_interactions(table: Table, of_items: list[str], stored: StoredValues) -> Iterator[Row]:
    """Yields the interactions of a table; rows without an id or a time are left out, and their number is logged.

    Args:
      table: The table.
      of_items: Its columns that are features of interactions.
      stored: Where the features are noted.

    Raises:
      BadInputError: The file is damaged, or an id or a time is none.
    """
    num_left_out = 0
    for first, batch in table.batches([*_COLUMNS, *of_items]):
        queries, candidates = (table.ids(batch, name, first) for name in (keys.QUERY_ID, keys.CANDIDATE_ID))
        times, nanos = table.times(batch, keys.TIMESTAMP, first)
        columns = [table.values(batch, name, first) for name in of_items]
        for row, (query, candidate, time, nano) in enumerate(zip(queries, candidates, times, nanos, strict=True)):
            if query is None or candidate is None or time is None or nano is None:
                num_left_out += 1
                continue
            features: Mapping[str, Any] = {name: values[row] for name, values in zip(of_items, columns, strict=True)}
            stored.add(features, lambda row=first + row: f"row {row} (from 0)")  # type: ignore[misc]
            yield query, candidate, time, nano, encoded(features)
    if num_left_out:
        _LOGGER.warning("%d rows without an id or a time are left out of the histories", num_left_out)


def open_interactions(path: pathlib.Path) -> Table:
    """Returns the table of `serve.histories`.

    Raises:
      BadInputError: The file cannot be read, or lacks a column.
    """
    return Table(path, "interactions", _COLUMNS)


def read_features(path: pathlib.Path) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yields query id and features of each row of a Parquet file with `query_id` and a column per feature.

    Raises:
      BadInputError: The file cannot be read, or lacks `query_id`, or an id is none.
    """
    table = Table(path, "queries", (keys.QUERY_ID,))
    names = [name for name in table.names if name != keys.QUERY_ID]
    for first, batch in table.batches(table.names):
        columns = [table.values(batch, name, first) for name in names]
        for row, query in enumerate(table.ids(batch, keys.QUERY_ID, first)):
            yield query, {name: values[row] for name, values in zip(names, columns, strict=True)}


def is_text(kind: pa.DataType) -> bool:
    """Returns whether a type is text: also bytes, which old writers use for it, and the categories of Pandas."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return int(value.replace(tzinfo=value.tzinfo or datetime.timezone.utc).timestamp())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _shown(column: pa.Array, row: int) -> str:
    try:
        return short_repr(column[row].as_py())
    except (UnicodeDecodeError, ValueError, OverflowError):
        return "one that Python cannot read"
