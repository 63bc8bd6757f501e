"""Checks before any component starts: files, columns, rows, ids and folders.

The header and the first rows of every file are read. The tables of candidates and queries must have unique ids, so
they are read completely, up to two million rows.
"""

from __future__ import annotations

import array
import dataclasses
import itertools
import os
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np

from shortlist import keys
from shortlist.config import paths
from shortlist.config.config import Config
from shortlist.config.data import Data
from shortlist.config.table import Table
from shortlist.errors import ConfigError
from shortlist.scalars import short_repr
from shortlist.tables import inputs, schemas, split_check
from shortlist.tables.input_table import SAMPLED_ROWS, InputTable, ParsedRow, Sample, existing_files, timestamp_unit
from shortlist.tables.long_values import long_value_warnings
from shortlist.tables.spec import UNITS_WITH_PARTS, Kind, Unit

__all__ = [
    "DIRECT_RUNNER_ROWS",
    "PreflightReport",
    "TableReport",
    "check",
    "check_catalogue",
    "check_schemas",
    "check_tables",
    "check_workspace",
    "existing_files",
    "timestamp_unit",
]

# With one candidate or one query, there is nothing to learn.
MIN_CANDIDATES = 2
MIN_QUERIES = 2

MAX_CHECKED_ROWS = 2_000_000
"""A larger table of candidates or queries is not read before the run."""

MAX_CHECKED_TIMES = 200_000
"""Rows of the log whose times are checked before the run, which takes about a second."""

DIRECT_RUNNER_ROWS = 3_000_000
"""Largest number of interactions that was measured with Beam's direct runner on one machine."""


@dataclasses.dataclass(frozen=True)
class TableReport:
    """Findings about one table."""

    path: str
    """Path as in the config."""

    files: tuple[inputs.InputFile, ...]
    """The table's files, sorted by name."""

    columns: tuple[str, ...]
    """All columns of the first file."""

    sample: tuple[ParsedRow, ...]
    """The first rows after the filter, at most 1,000: values by feature name."""

    rows: int | None
    """Number of rows that a run will use; None if the files were not read to their end."""


@dataclasses.dataclass(frozen=True)
class PreflightReport:
    """Findings about the inputs of a run."""

    interactions: TableReport
    candidates: TableReport
    queries: TableReport | None

    timestamp_unit: Unit
    """Unit of the interactions' timestamp, from the config or from its first cells."""

    warnings: tuple[str, ...]
    """Suspicious findings in the first rows, which the other rows may disprove."""

    @property
    def candidate_count(self) -> int | None:
        """Number of candidates in the catalogue; None if it is too large to count before the run."""
        return self.candidates.rows


def check(
    config: Config, data_root: str | os.PathLike[str], update_command: str = schemas.UPDATE_COMMAND
) -> PreflightReport:
    """Refuses a config with data or folders that a run cannot use.

    Args:
      config: The checked config.
      data_root: Start of relative data paths; may be a URI.
      update_command: Command line that adds missing features to the schemas, for errors.

    Raises:
      DataError: A table is missing, unreadable or too small, or a row of it is invalid.
      ConfigError: A schema is missing or does not fit the config, the workspace is not writable or its path could be a
        pattern, or `shuffle_ties` would destroy a known order.
    """
    paths.check_no_pattern(config.workspace)
    warnings = check_schemas(config.data, update_command)
    report = check_tables(config, data_root)
    check_workspace(config.workspace)
    return dataclasses.replace(report, warnings=(*warnings, *report.warnings))


def check_catalogue(
    config: Config, data_root: str | os.PathLike[str], update_command: str = schemas.UPDATE_COMMAND
) -> None:
    """Refuses a config with a catalogue or folders that a reindex cannot use; the log is not read.

    Args:
      config: The checked config.
      data_root: Start of relative data paths; may be a URI.
      update_command: Command line that adds missing features to the schemas, for errors.

    Raises:
      DataError: The catalogue is missing, unreadable or too small, or a row of it is invalid.
      ConfigError: A schema is missing, the workspace is not writable or its path could be a pattern.
    """
    paths.check_no_pattern(config.workspace)
    check_schemas(config.data, update_command)
    _unique_table("candidates", config.data.candidates, data_root, Sample((), 0, is_whole=False))
    check_workspace(config.workspace)


def check_tables(config: Config, data_root: str | os.PathLike[str]) -> PreflightReport:
    """Refuses a config with tables that a run cannot use; part of `check`.

    Args:
      config: The checked config.
      data_root: Start of relative data paths; may be a URI.

    Raises:
      DataError: A table is missing, unreadable or too small, or a row of it is invalid.
      ConfigError: `shuffle_ties` would destroy a known order, or the split needs times and the log has none.
    """
    data = config.data
    table = InputTable.of("interactions", data.interactions, data_root)
    sample = table.sample()
    warnings = _check_first_rows(table, sample)
    split_check.check_unit(data.split, table.unit)
    _check_times(table)
    _check_query_count(table, sample)

    candidates, known_candidates = _unique_table("candidates", data.candidates, data_root, sample)
    warnings += long_value_warnings("candidates", data.candidates, candidates.sample)
    queries = None
    if data.queries is not None:
        queries, known_queries = _unique_table("queries", data.queries, data_root, sample)
        warnings += long_value_warnings("queries", data.queries, queries.sample)
        warnings += _unknown_query_warnings(table, sample, known_queries)

    if known_candidates is not None:
        warnings += _check_unknown_candidates(table, data, sample, known_candidates)
        split_check.check_split(table, data, sample, known_candidates)
    _check_shuffle_ties(config, table.unit)
    warnings += _size_warnings(table, sample)
    rows = len(sample.rows) if sample.is_whole else None
    interactions = _report(table, sample.rows, rows)
    return PreflightReport(interactions, candidates, queries, table.unit, tuple(warnings))


def _check_shuffle_ties(config: Config, unit: Unit) -> None:
    """Refuses `shuffle_ties` if the timestamps order interactions within a second."""
    key = "train.shuffle_ties"
    is_searched = key in (config.tune.space or {})
    if (is_searched or config.train.shuffle_ties) and unit in UNITS_WITH_PARTS:
        where = f"tune.space.{key}" if is_searched else key
        raise ConfigError.from_parts(
            where,
            "times of whole seconds or coarser",
            f"{unit}, which order interactions within a second",
            "remove shuffle_ties",
        )


def check_schemas(data: Data, update_command: str = schemas.UPDATE_COMMAND) -> list[str]:
    """Refuses schemas that do not fit the config, as the data gate would after ingestion.

    Args:
      data: The section `data`.
      update_command: Command line that adds missing features to the schemas, for errors.

    Returns:
      The differences, if `gate.schema_anomalies` is `warn`.

    Raises:
      ConfigError: A schema is missing, or differs from the config and the gate's action is `error`.
    """
    action = data.gate.schema_anomalies
    problems = list(schemas.problems(data, update_command))
    if problems and action == "error":
        raise problems[0]
    return [str(problem) for problem in problems if action == "warn"]


def check_workspace(workspace: str | os.PathLike[str]) -> None:
    """Creates the workspace folder and checks that it is writable.

    Raises:
      ConfigError: A file has the folder's name, or the folder is read-only.
    """
    folder = pathlib.Path(workspace)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise ConfigError.from_parts(
            "workspace", f"a folder at {folder}", "a file of that name", "set `workspace` to another folder"
        ) from None
    except OSError as error:
        raise ConfigError.from_reason(
            "workspace",
            f"a writable folder at {folder}",
            error.strerror,
            "change its permissions or set `workspace` to another folder",
        ) from None


def _report(table: InputTable, sample: Sequence[ParsedRow], rows: int | None) -> TableReport:
    return TableReport(table.path, table.files, table.columns, tuple(sample[:SAMPLED_ROWS]), rows)


def _check_first_rows(table: InputTable, sample: Sample) -> list[str]:
    """Refuses a table without rows. Returns a warning if the filter drops all rows that were read."""
    if sample.rows:
        return []
    key = f"data.{table.spec.kind}.filter"
    if not sample.is_whole:
        return [f"{table.path}: {key} drops all of the first {sample.rows_read:,} rows; is it correct?"]
    if sample.rows_read:
        raise table.error(
            f"a row that passes {key}",
            f"none among {sample.rows_read:,}",
            "correct the filter",
        )
    got = "only a header" if table.columns else "an empty file"
    raise table.error("at least one row", got, "check how the file was written")


def _check_times(table: InputTable) -> None:
    """Refuses an invalid time in the first 200,000 rows: other readers would find it after two components only."""
    if all(column.name != keys.TIMESTAMP for column in table.spec.columns):
        return
    # The other columns are not read, which takes half as long.
    spec = dataclasses.replace(table.spec, columns=(table.spec.column(keys.TIMESTAMP),))
    for _ in itertools.islice(dataclasses.replace(table, spec=spec).rows(), MAX_CHECKED_TIMES):
        pass


def _unique_table(
    kind: Kind, config_table: Table, data_root: str | os.PathLike[str], interactions: Sample
) -> tuple[TableReport, set[str] | None]:
    """Reads a table completely, if it is not too large, and refuses repeated ids as the config demands.

    Args:
      kind: Candidates or queries.
      config_table: The table's section.
      data_root: Start of relative data paths; may be a URI.
      interactions: The sample of interactions.

    Returns:
      The report, and the ids of the sampled interactions that the table has. The ids are None for a table that is too
      large to read.
    """
    table = InputTable.of(kind, config_table, data_root)
    name = keys.CANDIDATE_ID if kind == "candidates" else keys.QUERY_ID
    if table.estimated_rows() > MAX_CHECKED_ROWS:
        return _report(table, table.sample().rows, None), None
    interaction_ids = {row[name][0] for row in interactions.rows}
    known: set[str] = set()
    sample: list[ParsedRow] = []
    # 8 bytes per row instead of the ids themselves: two million rows take 16 MB.
    hashes = array.array("q")
    for _, values in table.rows():
        row_id = values[name][0]
        hashes.append(hash(row_id))
        if row_id in interaction_ids:
            known.add(str(row_id))
        if len(sample) < SAMPLED_ROWS:
            sample.append(values)
    distinct, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
    if table.spec.duplicates == "refuse":
        _check_unique(table, name, set(distinct[counts > 1].tolist()))
    if kind == "candidates" and len(distinct) < MIN_CANDIDATES:
        expected = f"at least {MIN_CANDIDATES} candidates"
        if table.spec.filter:
            expected += " after the filter"
        raise table.error(
            expected,
            str(len(distinct)),
            "add the other candidates to the catalogue",
        )
    if not hashes:
        got = "none that passes data.queries.filter" if table.spec.filter else "only a header"
        raise table.error("at least one row", got, "fill the table or remove data.queries")
    return _report(table, sample, len(distinct)), known


def _check_unique(table: InputTable, name: str, repeated: set[int]) -> None:
    """Refuses repeated ids. A second pass compares only the ids with equal hashes.

    Args:
      table: The table of candidates or queries.
      name: Name of the id column.
      repeated: Hashes that several rows share.

    Raises:
      DataError: Two rows have the same id.
    """
    if not repeated:
        return
    first: dict[object, str] = {}
    for place, values in table.rows():
        row_id = values[name][0]
        if hash(row_id) in repeated and first.setdefault(row_id, place) != place:
            raise table.error(
                "each id once",
                f"{short_repr(row_id)} in {first[row_id]} and again in {place} (from 0)",
                f"keep one row per id, or set data.{table.spec.kind}.duplicates to first or last",
                name,
            )


def _check_query_count(table: InputTable, sample: Sample) -> None:
    ids = {row[keys.QUERY_ID][0] for row in sample.rows}
    if sample.is_whole and len(ids) < MIN_QUERIES:
        raise table.error(
            f"at least {MIN_QUERIES} different query ids",
            f"only {short_repr(next(iter(ids)))}",
            f"a model needs several queries: is {table.spec.column(keys.QUERY_ID).key} the right column?",
            keys.QUERY_ID,
        )


def _check_unknown_candidates(table: InputTable, data: Data, sample: Sample, known: set[str]) -> list[str]:
    """Checks the interactions' candidates against the catalogue.

    A complete table with too many unknown candidates is refused. A sample gives a warning if all of them are unknown.
    """
    unknown = [row[keys.CANDIDATE_ID][0] for row in sample.rows if row[keys.CANDIDATE_ID][0] not in known]
    check = data.gate.unknown_candidates
    if not unknown or check.action == "ignore":
        return []
    fraction = len(unknown) / len(sample.rows)
    if not sample.is_whole:
        if fraction < 1.0:
            return []
        return [
            f"{table.path}: no candidate of the first rows is in {data.candidates.path}, "
            f"e.g. {short_repr(unknown[0])}; do both tables write ids the same way?"
        ]
    if fraction <= check.threshold:
        return []
    refusal = table.error(
        f"at most {check.threshold} of all rows with unknown candidates",
        f"{len(unknown)} of {len(sample.rows)} not in {data.candidates.path}, e.g. {short_repr(unknown[0])}",
        "write ids the same way in both, complete the catalogue, or raise data.gate.unknown_candidates.threshold",
        keys.CANDIDATE_ID,
    )
    if check.action == "warn":
        return [str(refusal)]
    raise refusal


def _unknown_query_warnings(table: InputTable, sample: Sample, known: set[str] | None) -> list[str]:
    if known or known is None or not sample.rows:
        return []
    example = short_repr(sample.rows[0][keys.QUERY_ID][0])
    return [
        f"{table.path}: no query of the first rows is in the queries table, e.g. {example}; "
        "do both tables write ids the same way?"
    ]


def _size_warnings(table: InputTable, sample: Sample) -> list[str]:
    """Returns a warning if there are more interactions than were measured with the direct runner."""
    if sample.is_whole or not sample.rows:
        return []
    rows = table.estimated_rows()
    if table.spec.filter is not None:
        rows = round(rows * len(sample.rows) / sample.rows_read)
    if rows <= DIRECT_RUNNER_ROWS:
        return []
    return [
        f"{table.path}: about {rows:,} interactions; Beam's direct runner was measured with up to "
        f"{DIRECT_RUNNER_ROWS:,} on one machine and keeps groups in memory; use Flink or Dataflow for more"
    ]
