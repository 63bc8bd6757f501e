"""What can be known to be wrong before any component starts: files, columns, rows, ids, folders.

Interactions are read up to 1,000 rows; the catalogue and the queries, whose ids
must be unique, are read to their end.
"""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import difflib
import itertools
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from components.table_example_gen import readers, timestamps
from components.table_example_gen.spec import ColumnSpec, Kind, TableSpec, Unit, table_spec
from components.table_example_gen.values import Values
from shortlist import inputs, keys
from shortlist.cells import BadCell, shown
from shortlist.config import types
from shortlist.errors import ConfigError, DataError

SAMPLED_ROWS = 1000
MIN_CANDIDATES = 2
MIN_QUERIES = 2

ParsedRow = Mapping[str, Values]


@dataclasses.dataclass(frozen=True)
class TableReport:
    """One table as far as it was read."""

    path: str
    """As the config has it."""

    files: tuple[inputs.InputFile, ...]
    """The files that it names, in the order of their names."""

    columns: tuple[str, ...]
    """All columns of the first file."""

    sample: tuple[ParsedRow, ...]
    """The first rows, at most 1,000: feature name to values."""

    rows: int | None
    """How many rows there are; None where the file was not read to its end."""


@dataclasses.dataclass(frozen=True)
class PreflightReport:
    """What a run is about to read."""

    interactions: TableReport
    candidates: TableReport
    queries: TableReport | None

    timestamp_unit: Unit
    """Of the interactions' timestamp: as the config says, or as its first cells do."""

    warnings: tuple[str, ...]
    """What looks wrong in the first rows but need not be wrong in the whole."""

    @property
    def candidate_count(self) -> int:
        """How many candidates the catalogue has."""
        assert self.candidates.rows is not None
        return self.candidates.rows


def check(config: types.Config, data_root: str | os.PathLike[str]) -> PreflightReport:
    """Refuses a config whose data or folders cannot work.

    Args:
      config: The checked config.
      data_root: Where relative data paths start.

    Raises:
      DataError: A table is missing, unreadable, too small, or has a row that a run would refuse.
      ConfigError: A schema is missing or the workspace cannot be written.
    """
    root = pathlib.Path(data_root)
    data = config.data
    check_schemas(data)

    unit = timestamp_unit(data.interactions, root)
    table = _Table.of("interactions", data.interactions, root, unit)
    interactions = table.sampled()
    _check_queries_are_several(table, interactions)

    candidates, known_candidates = _unique_table("candidates", data.candidates, root, interactions)
    queries = None
    warnings = []
    if data.queries is not None:
        queries, known_queries = _unique_table("queries", data.queries, root, interactions)
        warnings += _unknown_queries(table, interactions, known_queries)

    warnings += _check_unknown_candidates(table, data, interactions, known_candidates)
    _check_something_is_evaluable(table, data, interactions, known_candidates)
    check_workspace(config.workspace)
    return PreflightReport(interactions, candidates, queries, unit, tuple(warnings))


def timestamp_unit(interactions: types.Interactions, data_root: str | os.PathLike[str]) -> Unit:
    """Returns the unit of the interactions' timestamp; `auto` is decided by the first kept rows of every file.

    Raises:
      DataError: They can be read in no way, or not all files in the same one.
    """
    if interactions.timestamp is None:
        return "order"
    if interactions.timestamp_unit != "auto":
        return interactions.timestamp_unit
    column = ColumnSpec(keys.TIMESTAMP, interactions.timestamp, "category", f"data.interactions.{keys.TIMESTAMP}")
    spec = TableSpec("interactions", interactions.format, (column,), interactions.filter)
    found: dict[Unit, str] = {}
    for file in existing_files("interactions", interactions.path, data_root, interactions.last_spans):
        unit = _unit_in(file, spec, column)
        if unit is not None:
            found.setdefault(unit, file.name)
    if len(found) > 1:
        (unit, first), (other, second) = itertools.islice(found.items(), 2)
        raise readers.data_error(
            f"{second}, column {column.column!r}",
            f"{unit} as in {first}",
            other,
            "write all files in one unit, or set data.interactions.timestamp_unit",
        )
    return next(iter(found), "order")


def _unit_in(file: inputs.InputFile, spec: TableSpec, column: ColumnSpec) -> Unit | None:
    """Returns the unit of one file's first kept rows; None where it has none."""
    with _opened(file) as opened:
        if spec.format_of(file.name) == "parquet":
            from components.table_example_gen.parquet_reader import ParquetReader

            typed = dataclasses.replace(spec, columns=(dataclasses.replace(column, type="order", unit="order"),))
            reader: readers.TableReader = ParquetReader(opened, typed, file.name)
        else:
            reader = readers.open_table(opened, spec, file.name)
        cells = [row[column.column] for _, row in itertools.islice(reader.kept_rows(), SAMPLED_ROWS)]
        if not cells:
            return None
        try:
            return timestamps.detect(cells, column.column in reader.time_columns)
        except BadCell as bad:
            raise readers.data_error(
                f"{file.name}, column {column.column!r}", bad.expected, bad.got, bad.remedy
            ) from None


def check_schemas(data: types.Data) -> None:
    """Refuses a schemas folder that lacks a table's schema.

    Raises:
      ConfigError: Names the file.
    """
    folder = pathlib.Path(data.schemas)
    for name in data.tables:
        file = folder / f"{name}.pbtxt"
        if not file.is_file():
            raise ConfigError(
                f"data.schemas: expected the file {file}, got none; "
                "write one like those in schemas/movielens_100k, or point data.schemas at another folder"
            )


def check_workspace(workspace: str | os.PathLike[str]) -> None:
    """Makes the workspace folder and checks that it can be written.

    Raises:
      ConfigError: A file is in the way, or the folder is read-only.
    """
    folder = pathlib.Path(workspace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(
            f"workspace: expected a folder at {folder}, got a file in the way; set `workspace` to another folder"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"workspace: expected a folder that can be written at {folder}, got: {error.strerror}; "
            "change its permissions or set `workspace` to another folder"
        ) from None


@dataclasses.dataclass(frozen=True)
class _Table:
    """A table's files, and what to read from them."""

    spec: TableSpec
    path: str
    root: pathlib.Path
    files: tuple[inputs.InputFile, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, kind: Kind, table: types.Table, root: pathlib.Path, unit: Unit = "order") -> _Table:
        """Finds the files and checks every header."""
        spec = table_spec(kind, table, unit)
        last_spans = table.last_spans if isinstance(table, types.Interactions) else None
        files = tuple(existing_files(kind, table.path, root, last_spans))
        found = cls(spec, table.path, root, files, ())
        headers = []
        for file in files:
            with _opened(file) as opened:
                headers.append(tuple(readers.open_table(opened, spec, file.name).columns))
        return dataclasses.replace(found, columns=headers[0])

    def rows(self) -> Iterator[tuple[str, ParsedRow]]:
        """Yields where each row stands, for messages, and its values."""
        for file in self.files:
            with _opened(file) as opened:
                reader = readers.open_table(opened, self.spec, file.name)
                prefix = f"{file.name} " if len(self.files) > 1 else ""
                for row, values in readers.parsed_rows(reader, self.spec):
                    yield f"{prefix}row {row}", values

    def sampled(self) -> TableReport:
        """Reads the first rows and refuses a table without any."""
        rows = (values for _, values in self.rows())
        sample = tuple(itertools.islice(rows, SAMPLED_ROWS))
        complete = next(rows, None) is None
        if not sample:
            got, remedy = "a header alone", "check how the file was written"
            if self.spec.filter is not None:
                got, remedy = "none that passes the filter", f"correct data.{self.spec.kind}.filter"
            raise self.error("at least one row", got, remedy)
        return self.report(sample, len(sample) if complete else None)

    def report(self, sample: Sequence[ParsedRow], rows: int | None) -> TableReport:
        """Returns what is told of this table."""
        return TableReport(self.path, self.files, self.columns, tuple(sample), rows)

    def error(self, expected: str, got: str, remedy: str, name: str | None = None) -> DataError:
        """Returns the error of the whole table, or of its column `name`."""
        column = f", column {self.spec.column(name).column!r}" if name else ""
        return readers.data_error(f"{self.path}{column}", expected, got, remedy)


@contextlib.contextmanager
def _opened(file: inputs.InputFile) -> Iterator[BinaryIO]:
    try:
        with contextlib.closing(file.open()) as opened:
            yield opened
    except OSError as error:
        raise readers.data_error(
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
    full = inputs.full_path(path, data_root)
    got = "nothing there"
    remedy = f"check data.{kind}.path and SHORTLIST_DATA_DIR ({data_root}); `shortlist data fetch` gets public data"
    if not inputs.is_uri(full):
        local = pathlib.Path(full)
        if local.is_dir():
            got, remedy = "an empty folder", f"check data.{kind}.path"
        elif local.parent.is_dir():
            near = difflib.get_close_matches(local.name, os.listdir(local.parent), n=1)
            remedy += f"; did you mean {near[0]!r}?" if near else ""
    raise readers.data_error(path, f"a file at {full}", got, remedy)


def _unique_table(
    kind: Kind, config_table: types.Table, root: pathlib.Path, interactions: TableReport
) -> tuple[TableReport, set[str]]:
    """Reads a table to its end; each id once.

    Returns:
      The report, and which ids of the sampled interactions the table has.
    """
    table = _Table.of(kind, config_table, root)
    name = keys.CANDIDATE_ID if kind == "candidates" else keys.QUERY_ID
    wanted = {row[name][0] for row in interactions.sample}
    known: set[str] = set()
    sample: list[ParsedRow] = []
    hashes = array.array("q")
    for _, values in table.rows():
        row_id = values[name][0]
        hashes.append(hash(row_id))
        if row_id in wanted:
            known.add(str(row_id))
        if len(sample) < SAMPLED_ROWS:
            sample.append(values)
    if table.spec.duplicates == "refuse":
        _check_unique(table, name, hashes)
    distinct = len(np.unique(np.frombuffer(hashes, dtype=np.int64)))
    if kind == "candidates" and distinct < MIN_CANDIDATES:
        raise table.error(
            f"at least {MIN_CANDIDATES} candidates",
            str(distinct),
            "there is nothing to choose from: add the other candidates to the catalogue",
        )
    if not hashes:
        raise table.error("at least one row", "a header alone", "fill the table or drop data.queries")
    return table.report(sample, distinct), known


def _check_unique(table: _Table, name: str, hashes: array.array[int]) -> None:
    """Refuses repeated ids. 8 bytes a row; only where hashes meet are ids compared, in a second pass."""
    distinct, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
    repeated = set(distinct[counts > 1].tolist())
    if not repeated:
        return
    first: dict[object, str] = {}
    for place, values in table.rows():
        row_id = values[name][0]
        if hash(row_id) in repeated and first.setdefault(row_id, place) != place:
            raise table.error(
                "each id once",
                f"{shown(row_id)} in {first[row_id]} and again in {place} (from 0)",
                "keep one row an id",
                name,
            )


def _check_queries_are_several(table: _Table, report: TableReport) -> None:
    ids = {row[keys.QUERY_ID][0] for row in report.sample}
    if report.rows is not None and len(ids) < MIN_QUERIES:
        raise table.error(
            f"at least {MIN_QUERIES} different query ids",
            f"only {shown(next(iter(ids)))}",
            f"a model needs several queries: is {table.spec.column(keys.QUERY_ID).key} the right column?",
            keys.QUERY_ID,
        )


def _check_unknown_candidates(table: _Table, data: types.Data, report: TableReport, known: set[str]) -> list[str]:
    """Refuses a complete table with too many unknown candidates; warns where a sample has none that is known."""
    unknown = [row[keys.CANDIDATE_ID][0] for row in report.sample if row[keys.CANDIDATE_ID][0] not in known]
    fraction = len(unknown) / len(report.sample)
    if not unknown or (report.rows is None and fraction < 1.0):
        return []
    got = f"{len(unknown)} of {len(report.sample)} that {data.candidates.path} lacks, e.g. {shown(unknown[0])}"
    if report.rows is None:
        return [
            f"{table.path}: the first rows name only candidates that {data.candidates.path} lacks, "
            f"e.g. {shown(unknown[0])}; are the ids written the same way in both?"
        ]
    if fraction <= data.gate.unknown_candidates.threshold:
        return []
    raise table.error(
        f"at most {data.gate.unknown_candidates.threshold} of all rows with unknown candidates",
        got,
        "write ids the same way in both, complete the catalogue, or raise data.gate.unknown_candidates.threshold",
        keys.CANDIDATE_ID,
    )


def _unknown_queries(table: _Table, report: TableReport, known: set[str]) -> list[str]:
    if known:
        return []
    example = shown(report.sample[0][keys.QUERY_ID][0])
    return [
        f"{table.path}: the first rows name only queries that the queries table lacks, e.g. {example}; "
        "are the ids written the same way in both?"
    ]


def _check_something_is_evaluable(table: _Table, data: types.Data, report: TableReport, known: set[str]) -> None:
    """Refuses a complete table from which the split can hold nothing out."""
    if report.rows is None:
        return
    rows = [row for row in report.sample if row[keys.CANDIDATE_ID][0] in known]
    expected = _EVALUABLE[data.split.kind](rows, data.split)
    if expected is not None:
        raise table.error(
            f"{expected} for split {data.split.kind}",
            f"none among {len(rows)} rows with known candidates",
            "add interactions or choose another data.split",
        )


def _last_out_needs(rows: Sequence[ParsedRow], split: types.LeaveLastOut) -> str | None:
    counts = collections.Counter(row[keys.QUERY_ID][0] for row in rows)
    return None if max(counts.values(), default=0) >= 3 else "a query with at least 3 interactions"


def _last_basket_needs(rows: Sequence[ParsedRow], split: types.LeaveLastBasket) -> str | None:
    times = collections.defaultdict(set)
    for row in rows:
        times[row[keys.QUERY_ID][0]].add(row[keys.TIMESTAMP][0])
    return None if max(map(len, times.values()), default=0) >= 2 else "a query with at least 2 different timestamps"


def _temporal_needs(rows: Sequence[ParsedRow], split: types.Temporal) -> str | None:
    times = [int(row[keys.TIMESTAMP][0]) for row in rows]
    if min(times, default=split.eval_from) >= split.eval_from:
        return f"an interaction before eval_from={split.eval_from}"
    if max(times) < split.test_from:
        return f"an interaction at or after test_from={split.test_from}"
    return None


def _random_needs(rows: Sequence[ParsedRow], split: types.Random) -> str | None:
    return None if len(rows) >= 5 else "at least 5 interactions, of which 20% are test,"


_EVALUABLE: dict[str, Callable[[Sequence[ParsedRow], Any], str | None]] = {
    "leave_last_out": _last_out_needs,
    "leave_last_basket": _last_basket_needs,
    "temporal": _temporal_needs,
    "random": _random_needs,
}
