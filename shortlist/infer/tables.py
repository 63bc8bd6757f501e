"""Reading of a table's first rows without a config."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

from shortlist.errors import DataError
from shortlist.infer.columns import InferredColumn, columns_of
from shortlist.tables import inputs, preflight, readers
from shortlist.tables.spec import ColumnSpec, ColumnType, Kind, TableSpec


def sample(kind: Kind, path: str, data_root: str | os.PathLike[str]) -> list[InferredColumn]:
    """Returns the columns of a table, with the cells of its first rows.

    Args:
      kind: Kind of the table, for errors.
      path: Path as in a config.
      data_root: Start of relative paths; may be a URI.

    Raises:
      DataError: There is no such file, it cannot be read, or it has no rows.
    """
    files = preflight.existing_files(kind, path, data_root)
    spec = TableSpec(kind, None, ())
    with files[0].open() as file:
        reader = readers.open_table(file, spec, files[0].name)
        names, times = list(reader.columns), reader.time_columns
    spec = dataclasses.replace(spec, columns=tuple(_unparsed(kind, name, name in times) for name in names))
    columns = columns_of(names, times, _rows(files, spec))
    if not columns or not columns[0].texts:
        raise DataError.from_parts(path, "at least one row", "only a header", "check how the file was written")
    return columns


def _unparsed(kind: Kind, name: str, is_time: bool) -> ColumnSpec:
    # The Parquet reader's most permissive types: times, or else texts, numbers and lists.
    column_type: ColumnType = "timestamp" if is_time else "multi_category"
    return ColumnSpec(name=name, column=name, type=column_type, key=f"data.{kind}")


def _rows(files: Sequence[inputs.InputFile], spec: TableSpec) -> Iterator[tuple[int, dict[str, Any]]]:
    for input_file in files:
        with input_file.open() as file:
            yield from readers.open_table(file, spec, input_file.name)
