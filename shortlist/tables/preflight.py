"""Checks before any component starts: files, columns, rows, ids and folders.

The header and the first rows of every file are read. The tables of candidates and queries must have unique ids, so
they are read completely, up to two million rows.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tempfile

from shortlist.config import paths
from shortlist.config.config import Config
from shortlist.config.data import Data
from shortlist.errors import ConfigError
from shortlist.tables import schemas, split_check, table_checks
from shortlist.tables.input_table import InputTable, Sample
from shortlist.tables.long_values import long_value_warnings
from shortlist.tables.spec import UNITS_WITH_PARTS, Unit
from shortlist.tables.table_checks import TableReport


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
    table_checks.unique_table("candidates", config.data.candidates, data_root, Sample((), 0, is_whole=False))
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
    warnings = table_checks.check_first_rows(table, sample)
    split_check.check_unit(data.split, table.unit)
    table_checks.check_times(table)
    table_checks.check_query_count(table, sample)

    candidates, known_candidates = table_checks.unique_table("candidates", data.candidates, data_root, sample)
    warnings += long_value_warnings("candidates", data.candidates, candidates.sample)
    queries = None
    if data.queries is not None:
        queries, known_queries = table_checks.unique_table("queries", data.queries, data_root, sample)
        warnings += long_value_warnings("queries", data.queries, queries.sample)
        warnings += table_checks.unknown_query_warnings(table, sample, known_queries)

    if known_candidates is not None:
        warnings += table_checks.check_unknown_candidates(table, data, sample, known_candidates)
        split_check.check_split(table, data, sample, known_candidates)
    _check_shuffle_ties(config, table.unit)
    warnings += table_checks.size_warnings(table, sample)
    rows = len(sample.rows) if sample.is_whole else None
    interactions = table_checks.report_of(table, sample.rows, rows)
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
