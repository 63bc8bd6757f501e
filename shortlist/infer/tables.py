"""Reading of a table's first rows without a config."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.errors import DataError
from shortlist.infer import text_format
from shortlist.infer.columns import SAMPLED_ROWS, InferredColumn, columns_of
from shortlist.infer.text_format import TextOptions
from shortlist.tables import inputs, readers
from shortlist.tables.input_table import InputTable, existing_files
from shortlist.tables.spec import ColumnSpec, ColumnType, Kind, TableSpec

# Cells are kept as Python strings, which takes several times as much memory.
_MAX_BYTES = 256 * 2**20
_COMMA_NUMBER = re.compile(r"[+-]?\d+(,\d+)?")


@dataclasses.dataclass(frozen=True)
class TableSample:
    """The first rows of a table, and the format of its files."""

    columns: Sequence[InferredColumn]
    options: dict[str, Any]
    """Options of the text format for the table's section; none where the defaults are right."""

    reasons: Sequence[str]
    """One sentence per guessed option."""

    estimated_rows: int
    """Number of rows of the table: estimated from the sizes of its files, if the sample is not the whole table."""

    is_whole: bool
    """Whether the table has no other rows."""

    @property
    def rows(self) -> int:
        """Number of rows, at most SAMPLED_ROWS."""
        return len(self.columns[0].texts)


def sample(
    kind: Kind, path: str, data_root: str | os.PathLike[str], given: TextOptions, columns_option: str
) -> TableSample:
    """Returns the columns of a table, with the cells of its first rows.

    Args:
      kind: Kind of the table, for errors.
      path: Path as in a config.
      data_root: Start of relative paths; may be a URI.
      given: Options of the text format that the user has given.
      columns_option: Command line option for the names of the columns, for errors.

    Raises:
      DataError: There is no such file, it cannot be read, or it has no rows.
      ConfigError: The file has no header and no names were given, or no row per interaction.
    """
    files = existing_files(kind, path, data_root)
    spec = TableSpec(kind, None, ())
    first = next((file for file in files if file.size), files[0])
    with first.open() as file:
        found = text_format.guess(file, first.name, spec, given, columns_option)
    spec = dataclasses.replace(spec, format=found.options.get("format"), dialect=text_format.as_dialect(found.options))
    with first.open() as file:
        reader = readers.open_table(file, spec, first.name)
        names, times, unreadable = list(reader.columns), reader.time_columns, reader.nested_columns
    readable = [name for name in names if name not in unreadable]
    spec = dataclasses.replace(spec, columns=tuple(_unparsed(kind, name, name in times) for name in readable))
    table_rows = _Rows(files, spec)
    columns = columns_of(readable, times, iter(table_rows))
    if not columns or not columns[0].texts:
        raise DataError.from_parts(path, "at least one row", "only a header", "check how the file was written")
    if found.options.get("decimal") == ",":
        columns = [_with_points(column) for column in columns]
    rows = len(columns[0].texts)
    columns += [InferredColumn(name, [None] * rows, is_time=False, is_nested=True) for name in sorted(unreadable)]
    is_whole = rows < SAMPLED_ROWS and not table_rows.is_cut
    # A file may have grown since, and no table has fewer rows than were read.
    estimated = rows if is_whole else max(rows, InputTable(spec, path, tuple(files), ()).estimated_rows())
    return TableSample(columns, found.options, found.reasons, estimated, is_whole)


def _unparsed(kind: Kind, name: str, is_time: bool) -> ColumnSpec:
    # The Parquet reader's most permissive types: times, or else texts, numbers and lists.
    column_type: ColumnType = "timestamp" if is_time else "multi_category"
    return ColumnSpec(name=name, column=name, type=column_type, key=f"data.{kind}")


class _Rows:
    """Iterator over the first rows of a table, up to 256 MB."""

    def __init__(self, files: Sequence[inputs.InputFile], spec: TableSpec) -> None:
        self._files = files
        self._spec = spec
        self.is_cut = False
        """Whether there are further rows."""

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        size = 0
        for input_file in self._files:
            with input_file.open() as file:
                reader = readers.open_table(file, self._spec, input_file.name)
                for row in reader:
                    if size + reader.bytes_read > _MAX_BYTES:
                        self.is_cut = True
                        return
                    yield row
                size += reader.bytes_read


def _with_points(column: InferredColumn) -> InferredColumn:
    """Returns a column of numbers with a decimal comma as one with a decimal point."""
    if not all(map(_COMMA_NUMBER.fullmatch, column.counts)):
        return column
    texts = [None if text is None else text.replace(",", ".") for text in column.texts]
    return dataclasses.replace(column, texts=texts)
