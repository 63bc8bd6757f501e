"""A table of the config as files: found, their headers checked, its times' unit known, its first rows read."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from shortlist import keys
from shortlist.config import paths
from shortlist.config.table import Interactions, Table
from shortlist.errors import DataError
from shortlist.scalars import BadCell
from shortlist.tables import inputs, readers, timestamps
from shortlist.tables.spec import Kind, TableSpec, Unit, table_spec
from shortlist.tables.values import Values

SAMPLED_ROWS = 1000
"""Rows of a table that are looked at."""

MIN_FILE_ROWS = 100
"""The same of each file after the one that has the first 1,000."""

READ_PER_SAMPLED = 100
"""A filter may drop so many rows for each one that is looked at, before the sample ends without more."""

_ESTIMATED_FILES = 10
# What gzip reads ahead must not count much.
_ESTIMATED_FILE_ROWS = 20_000

ParsedRow = Mapping[str, Values]


@dataclasses.dataclass(frozen=True)
class Sample:
    """The first rows of a table that its filter keeps."""

    rows: tuple[ParsedRow, ...]
    """Feature name to values, at most 1,000."""

    rows_read: int
    """How many rows were looked at for them, dropped ones too."""

    is_whole: bool
    """Whether these are all rows that there are."""


@dataclasses.dataclass(frozen=True)
class InputTable:
    """A table's files, and what to read from them."""

    spec: TableSpec
    path: str
    """As the config has it."""

    files: tuple[inputs.InputFile, ...]
    columns: tuple[str, ...]
    """All columns of the first file."""

    unit: Unit = "order"
    """Of the interactions' timestamp."""

    @classmethod
    def of(cls, kind: Kind, table: Table, data_root: str | os.PathLike[str]) -> InputTable:
        """Finds a table's files, checks every header, and the unit of the times in every file.

        Raises:
          DataError: There are no files, one of them is none of this table, or their times differ in unit.
        """
        last_spans = table.last_spans if isinstance(table, Interactions) else None
        spec = table_spec(kind, table)
        files = existing_files(kind, table.path, data_root, last_spans)
        found = cls(spec, table.path, tuple(files), ())
        columns = []
        for file in files:
            with found.opened(file) as reader:
                columns.append(tuple(reader.columns))
        unit = _unit(found, table) if isinstance(table, Interactions) else "order"
        return cls(table_spec(kind, table, unit), table.path, tuple(files), columns[0], unit)

    def rows(self) -> Iterator[tuple[str, ParsedRow]]:
        """Yields where each kept row stands, for messages, and its values."""
        for file in self.files:
            with self.opened(file) as reader:
                prefix = f"{file.name} " if len(self.files) > 1 else ""
                for row, values in readers.parsed_rows(reader, self.spec):
                    yield f"{prefix}row {row}", values

    def sample(self) -> Sample:
        """Returns the first rows; also looks at the first ones of every other file.

        Raises:
          DataError: One of them is none.
        """
        rows: list[ParsedRow] = []
        rows_read = 0
        is_whole = True
        for file in self.files:
            wanted = max(SAMPLED_ROWS - len(rows), MIN_FILE_ROWS)
            max_rows = wanted * READ_PER_SAMPLED
            with self.opened(file) as reader:
                parsed = readers.parsed_rows(reader, self.spec, max_rows)
                rows += [values for _, values in itertools.islice(parsed, wanted)]
                is_whole = is_whole and next(parsed, None) is None and reader.rows_read < max_rows
                rows_read += reader.rows_read
            is_whole = is_whole and len(rows) <= SAMPLED_ROWS
            del rows[SAMPLED_ROWS:]
        return Sample(tuple(rows), rows_read, is_whole)

    def estimated_rows(self) -> int:
        """Returns about how many rows the files have, dropped ones too."""
        chosen = self.files[:: -(-len(self.files) // _ESTIMATED_FILES)]
        rows = 0
        for file in chosen:
            with self.opened(file) as reader:
                for _ in itertools.islice(reader, _ESTIMATED_FILE_ROWS):
                    pass
                rows += reader.estimated_rows(file.size)
        size = sum(file.size for file in chosen)
        return round(rows * sum(file.size for file in self.files) / size) if size else rows

    def error(self, expected: str, got: str, remedy: str, name: str | None = None) -> DataError:
        """Returns the error of the whole table, or of its column `name`."""
        column = f", column {self.spec.column(name).column!r}" if name else ""
        return DataError.from_parts(f"{self.path}{column}", expected, got, remedy)

    @contextlib.contextmanager
    def opened(self, file: inputs.InputFile) -> Iterator[readers.TableReader]:
        """Opens one of the files.

        Raises:
          DataError: It cannot be read, or is no such table.
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
      DataError: There are none; tells what was found instead.
    """
    files = inputs.find(path, data_root, last_spans)
    if files:
        return files
    full = paths.full_path(path, data_root)
    got = "nothing there"
    remedy = f"check data.{kind}.path and SHORTLIST_DATA_DIR ({os.fspath(data_root)}); "
    remedy += "`shortlist data fetch` gets public data sets"
    if not paths.is_uri(full):
        local = pathlib.Path(full)
        if local.is_dir():
            got, remedy = "an empty folder", f"check data.{kind}.path"
        elif local.parent.is_dir():
            near = difflib.get_close_matches(local.name, os.listdir(local.parent), n=1)
            remedy += f"; did you mean {near[0]!r}?" if near else ""
    raise DataError.from_parts(path, f"a file at {full}", got, remedy)


def timestamp_unit(interactions: Interactions, data_root: str | os.PathLike[str]) -> Unit:
    """Returns the unit of the interactions' timestamp, as the run reads it; order where they have none.

    Raises:
      DataError: As `InputTable.of`.
    """
    return InputTable.of("interactions", interactions, data_root).unit


def _unit(table: InputTable, interactions: Interactions) -> Unit:
    """Returns the unit of the times: what the config says, or the first kept rows of every file alike.

    Times that files keep as such have no unit of the config's.
    """
    if interactions.timestamp is None:
        return "order"
    given = None if interactions.timestamp_unit == "auto" else interactions.timestamp_unit
    first_of: dict[Unit, str] = {}
    is_undecided = False
    for file in table.files:
        with table.opened(file) as reader:
            is_time = interactions.timestamp in reader.time_columns
            if is_time or given:
                first_of.setdefault("iso8601" if is_time else given or "order", file.name)
                continue
            cells, is_whole = _first_times(reader, interactions.timestamp)
            is_undecided = is_undecided or not (cells or is_whole)
            if cells:
                first_of.setdefault(_detected(table, file, cells), file.name)
    if given is not None:
        return given if given in first_of else "iso8601"
    if not first_of and is_undecided:
        raise table.error(
            f"a row that data.interactions.filter keeps among the first {SAMPLED_ROWS * READ_PER_SAMPLED:,}",
            "none, so that the unit of the times cannot be seen",
            f"correct the filter or set {timestamps.KEY}",
            keys.TIMESTAMP,
        )
    if len(first_of) > 1:
        (unit, first), (other, second) = itertools.islice(first_of.items(), 2)
        raise DataError.from_parts(
            f"{second}, column {interactions.timestamp!r}",
            f"times as in {first}, which has {unit}",
            other,
            f"write all files in one unit, or set {timestamps.KEY} if one unit is right for all",
        )
    return next(iter(first_of), "order")


def _first_times(reader: readers.TableReader, column: str) -> tuple[list[Any], bool]:
    """Returns the cells of the first kept rows, and whether the file was read to its end."""
    max_rows = SAMPLED_ROWS * READ_PER_SAMPLED
    cells = [row[column] for _, row in itertools.islice(reader.kept_rows(max_rows), SAMPLED_ROWS)]
    return cells, reader.rows_read < max_rows


def _detected(table: InputTable, file: inputs.InputFile, cells: list[Any]) -> Unit:
    try:
        return timestamps.detect(cells, is_time_column=False)
    except BadCell as bad:
        column = table.spec.column(keys.TIMESTAMP).column
        raise DataError.from_parts(f"{file.name}, column {column!r}", bad.expected, bad.got, bad.remedy) from None
