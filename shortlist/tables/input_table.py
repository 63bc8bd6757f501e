"""Input tables as files: their headers, the unit of their timestamps, and a sample of their first rows."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from shortlist import keys
from shortlist.config import paths
from shortlist.config.table import Interactions, Table
from shortlist.errors import DataError
from shortlist.quoting import closest
from shortlist.scalars import BadCell, with_point
from shortlist.tables import inputs, readers, timestamps
from shortlist.tables.spec import Kind, TableSpec, Unit, table_spec
from shortlist.tables.values import Values

SAMPLED_ROWS = 1000
"""Maximum number of rows in a table's sample."""

MIN_FILE_ROWS = 100
"""Rows to check in each file after the sample is full."""

READ_PER_SAMPLED = 100
"""Maximum number of rows to read per row of the sample; a filter may drop the others."""

_ESTIMATED_FILES = 10
# Enough rows that gzip's read-ahead does not distort the estimate.
_ESTIMATED_FILE_ROWS = 20_000

ParsedRow = Mapping[str, Values]


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of a table, after its filter."""

    rows: tuple[ParsedRow, ...]
    """At most 1,000 rows: values by feature name."""

    rows_read: int
    """Number of rows read, including those that the filter dropped."""

    is_whole: bool
    """Whether the sample is the complete table."""


@dataclasses.dataclass(frozen=True)
class InputTable:
    """A table's files, and the columns to read from them."""

    spec: TableSpec
    path: str
    """Path as in the config."""

    files: tuple[inputs.InputFile, ...]
    columns: tuple[str, ...]
    """All columns of the first file that is not empty."""

    unit: Unit = "order"
    """Unit of the interactions' timestamp."""

    @classmethod
    def of(cls, kind: Kind, table: Table, data_root: str | os.PathLike[str]) -> InputTable:
        """Finds a table's files, and checks the header and the unit of the timestamps in each.

        Args:
          kind: The table's name in the config.
          table: The table's section.
          data_root: Start of relative paths; may be a URI.

        Raises:
          DataError: There are no files, a file lacks a column, or the files have different units of time.
        """
        last_spans = table.last_spans if isinstance(table, Interactions) else None
        spec = table_spec(kind, table).located(data_root)
        files = existing_files(kind, table.path, data_root, last_spans)
        input_table = cls(spec, table.path, tuple(files), ())
        columns = []
        for file in files:
            with input_table.opened(file) as reader:
                columns.append(tuple(reader.columns))
        unit: Unit = "order"
        if isinstance(table, Interactions):
            unit = _unit(input_table, table)
        # Empty part files have no columns.
        first_columns = next(filter(None, columns), ())
        return cls(table_spec(kind, table, unit).located(data_root), table.path, tuple(files), first_columns, unit)

    def rows(self) -> Iterator[tuple[str, ParsedRow]]:
        """Yields each row after the filter: its location for messages, such as "row 3", and its values."""
        for file in self.files:
            with self.opened(file) as reader:
                prefix = f"{file.name} " if len(self.files) > 1 else ""
                for row, values in readers.parsed_rows(reader, self.spec):
                    yield f"{prefix}row {row}", values

    def sample(self) -> Sample:
        """Returns the first rows of the table, and checks the first rows of every file.

        Raises:
          DataError: A cell is not valid for its column's type.
        """
        rows: list[ParsedRow] = []
        rows_read = 0
        is_whole = True
        for file in self.files:
            row_count = max(SAMPLED_ROWS - len(rows), MIN_FILE_ROWS)
            max_rows = row_count * READ_PER_SAMPLED
            with self.opened(file) as reader:
                parsed = readers.parsed_rows(reader, self.spec, max_rows)
                rows += [values for _, values in itertools.islice(parsed, row_count)]
                # The reader stops at max_rows, too, so the end of `parsed` alone is not the end of the file.
                is_whole = is_whole and next(parsed, None) is None and reader.rows_read < max_rows
                rows_read += reader.rows_read
            is_whole = is_whole and len(rows) <= SAMPLED_ROWS
            del rows[SAMPLED_ROWS:]
        return Sample(tuple(rows), rows_read, is_whole)

    def estimated_rows(self) -> int:
        """Returns the estimated number of rows in all files, before the filter.

        Up to ten files are read in part; the size of the files extrapolates to the others.
        """
        # Spread over the whole list of files; -(-a // b) rounds up.
        examples = self.files[:: -(-len(self.files) // _ESTIMATED_FILES)]
        rows = 0
        for file in examples:
            with self.opened(file) as reader:
                # A Parquet file declares its rows; reading them would decode columns that nobody needs.
                if not reader.estimated_rows(file.size):
                    for _ in itertools.islice(reader, _ESTIMATED_FILE_ROWS):
                        pass
                rows += reader.estimated_rows(file.size)
        size = sum(file.size for file in examples)
        if not size:
            return rows
        return round(rows * sum(file.size for file in self.files) / size)

    def error(self, expected: str, got: str, remedy: str, name: str | None = None) -> DataError:
        """Returns an error about the whole table, or about its column `name`."""
        where = self.path
        if name:
            where += f", column {self.spec.column(name).column!r}"
        return DataError.from_parts(where, expected, got, remedy)

    @contextlib.contextmanager
    def opened(self, file: inputs.InputFile) -> Iterator[readers.TableReader]:
        """Opens one of the files.

        Raises:
          DataError: The file cannot be read, is in another format, or lacks a column.
        """
        try:
            with contextlib.closing(file.open()) as opened:
                yield readers.open_table(opened, self.spec, file.name)
        except OSError as error:
            raise DataError.from_parts(
                file.name, "a readable file", f"{error.strerror or error}", "check its permissions"
            ) from None


def existing_files(
    kind: Kind, path: str, data_root: str | os.PathLike[str], last_spans: int | None = None
) -> list[inputs.InputFile]:
    """Returns the files that a data path names.

    Raises:
      DataError: There are none; describes the nearest existing file or folder.
    """
    files = inputs.find(path, data_root, last_spans)
    if files:
        return files
    full = paths.full_path(path, data_root)
    got = "nothing there"
    remedy = f"check data.{kind}.path and SHORTLIST_DATA_DIR ({os.fspath(data_root)}); "
    remedy += "`shortlist data fetch` downloads public data sets"
    if not paths.is_uri(full):
        local = pathlib.Path(full)
        if local.is_dir():
            got, remedy = "an empty folder", f"check data.{kind}.path"
        elif local.parent.is_dir():
            near = closest(local.name, os.listdir(local.parent))
            if near:
                remedy += f"; did you mean {near!r}?"
    raise DataError.from_parts(path, f"a file at {full}", got, remedy)


def timestamp_unit(interactions: Interactions, data_root: str | os.PathLike[str]) -> Unit:
    """Returns the unit of the interactions' timestamp; order if there is no timestamp.

    Raises:
      DataError: There are no files, a file lacks a column, or the files have different units of time.
    """
    return InputTable.of("interactions", interactions, data_root).unit


def _unit(table: InputTable, interactions: Interactions) -> Unit:
    """Returns the unit of the timestamps: the config's, or the one that the first rows of all files have.

    A file's own time columns always have the unit `iso8601`.
    """
    if interactions.timestamp is None:
        return "order"
    configured: Unit | None = None
    if interactions.timestamp_format is not None:
        configured = "iso8601"
    elif interactions.timestamp_unit != "auto" and interactions.timestamp_unit != "row":
        configured = interactions.timestamp_unit
    first_of: dict[Unit, str] = {}
    is_undecided = False
    for file in table.files:
        with table.opened(file) as reader:
            if interactions.timestamp in reader.time_columns:
                first_of.setdefault("iso8601", file.name)
                continue
            if configured:
                first_of.setdefault(configured, file.name)
                continue
            cells, is_whole = _first_times(reader, interactions.timestamp)
            if interactions.decimal == ",":
                cells = [_with_point(cell) for cell in cells]
            is_undecided = is_undecided or not (cells or is_whole)
            if cells:
                first_of.setdefault(_detected(table, file, cells), file.name)
    if configured is not None:
        return configured if configured in first_of else "iso8601"
    if not first_of and is_undecided:
        raise table.error(
            f"a row that passes data.interactions.filter among the first {SAMPLED_ROWS * READ_PER_SAMPLED:,}",
            "none, so the unit of the timestamps is unknown",
            f"correct the filter or set {timestamps.KEY}",
            keys.TIMESTAMP,
        )
    if len(first_of) > 1:
        (unit, first), (other, second) = itertools.islice(first_of.items(), 2)
        raise DataError.from_parts(
            f"{second}, column {interactions.timestamp!r}",
            f"times as in {first}, which has {unit}",
            other,
            f"write all files in one unit, or set {timestamps.KEY} if one unit is right for all files",
        )
    return next(iter(first_of), "order")


def _first_times(reader: readers.TableReader, column: str) -> tuple[list[Any], bool]:
    """Returns the cells of the first rows after the filter, and whether the file was read to its end."""
    max_rows = SAMPLED_ROWS * READ_PER_SAMPLED
    cells = [row[column] for _, row in itertools.islice(reader.kept_rows(max_rows), SAMPLED_ROWS)]
    return cells, reader.rows_read < max_rows


def _with_point(cell: Any) -> Any:
    try:
        return with_point(cell)
    except BadCell:
        return cell


def _detected(table: InputTable, file: inputs.InputFile, cells: list[Any]) -> Unit:
    try:
        return timestamps.detect(cells, is_time_column=False)
    except BadCell as bad:
        column = table.spec.column(keys.TIMESTAMP).column
        raise DataError.from_parts(f"{file.name}, column {column!r}", bad.expected, bad.got, bad.remedy) from None
