"""What can be known to be wrong before any component starts: files, columns, rows, ids, folders.

Of every file the header and the first rows are read; of the catalogue and the
queries, whose ids must be unique, all rows, up to two million.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import itertools
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from shortlist import keys, splits
from shortlist.config.config import Config
from shortlist.config.data import Data
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Temporal
from shortlist.config.table import Table
from shortlist.errors import ConfigError
from shortlist.scalars import shown
from shortlist.tables import inputs
from shortlist.tables.input_table import SAMPLED_ROWS, InputTable, ParsedRow, Sample, existing_files, timestamp_unit
from shortlist.tables.spec import UNITS_WITH_PARTS, Kind, Unit

__all__ = [
    "DIRECT_RUNNER_ROWS",
    "PreflightReport",
    "TableReport",
    "check",
    "check_schemas",
    "check_workspace",
    "existing_files",
    "timestamp_unit",
]

MIN_CANDIDATES = 2
MIN_QUERIES = 2

MAX_CHECKED_ROWS = 2_000_000
"""A larger catalogue is read for the first time by the run."""

DIRECT_RUNNER_ROWS = 3_000_000
"""Interactions up to which Beam's direct runner was measured to hold on one machine."""


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
    """The first rows that the filter keeps, at most 1,000: feature name to values."""

    rows: int | None
    """How many rows a run will have of it; None where the files were not read to their end."""


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
    def candidate_count(self) -> int | None:
        """How many candidates the catalogue has; None where it is too large to be counted here."""
        return self.candidates.rows


def check(config: Config, data_root: str | os.PathLike[str]) -> PreflightReport:
    """Refuses a config whose data or folders cannot work.

    Args:
      config: The checked config.
      data_root: Where relative data paths start.

    Raises:
      DataError: A table is missing, unreadable, too small, or has a row that a run would refuse.
      ConfigError: A schema is missing, the workspace cannot be written, or `shuffle_ties` would undo an order.
    """
    data = config.data
    check_schemas(data)

    table = InputTable.of("interactions", data.interactions, data_root)
    sample = table.sample()
    warnings = _check_first_rows(table, sample)
    _check_queries_are_several(table, sample)

    candidates, known_candidates = _unique_table("candidates", data.candidates, data_root, sample)
    queries = None
    if data.queries is not None:
        queries, known_queries = _unique_table("queries", data.queries, data_root, sample)
        warnings += _unknown_queries(table, sample, known_queries)

    if known_candidates is not None:
        warnings += _check_unknown_candidates(table, data, sample, known_candidates)
        _check_something_is_evaluable(table, data, sample, known_candidates)
    _check_ties_have_no_order(config, table.unit)
    warnings += _beyond_one_machine(table, sample)
    check_workspace(config.workspace)
    interactions = _report(table, sample.rows, len(sample.rows) if sample.is_whole else None)
    return PreflightReport(interactions, candidates, queries, table.unit, tuple(warnings))


def _check_ties_have_no_order(config: Config, unit: Unit) -> None:
    """Refuses to shuffle what happened in one second where the log tells parts of seconds."""
    key = "train.shuffle_ties"
    where = f"tune.space.{key}" if key in (config.tune.space or {}) else key
    if (where != key or config.train.shuffle_ties) and unit in UNITS_WITH_PARTS:
        raise ConfigError.from_parts(
            where,
            "times of whole seconds or coarser",
            f"{unit}, which order what happens within a second",
            "remove shuffle_ties",
        )


def check_schemas(data: Data) -> None:
    """Refuses a schemas folder that lacks a table's schema.

    Raises:
      ConfigError: Names the file.
    """
    folder = pathlib.Path(data.schemas)
    for name in data.tables:
        file = folder / f"{name}.pbtxt"
        if not file.is_file():
            raise ConfigError.from_parts(
                "data.schemas",
                f"the file {file}",
                "none",
                "write one like those in schemas/movielens_100k, or point data.schemas at another folder",
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
        raise ConfigError.from_parts(
            "workspace", f"a folder at {folder}", "a file in the way", "set `workspace` to another folder"
        ) from None
    except OSError as error:
        raise ConfigError.from_reason(
            "workspace",
            f"a folder that can be written at {folder}",
            error.strerror,
            "change its permissions or set `workspace` to another folder",
        ) from None


def _report(table: InputTable, sample: Sequence[ParsedRow], rows: int | None) -> TableReport:
    return TableReport(table.path, table.files, table.columns, tuple(sample[:SAMPLED_ROWS]), rows)


def _check_first_rows(table: InputTable, sample: Sample) -> list[str]:
    """Refuses a table without rows; warns where only the filter's first rows are none."""
    if sample.rows:
        return []
    key = f"data.{table.spec.kind}.filter"
    if not sample.is_whole:
        return [f"{table.path}: {key} drops all of the first {sample.rows_read:,} rows; is it right?"]
    if sample.rows_read:
        raise table.error(
            f"a row that {key} keeps",
            f"none among {sample.rows_read:,}",
            "correct the filter",
        )
    raise table.error("at least one row", "a header alone", "check how the file was written")


def _unique_table(
    kind: Kind, config_table: Table, data_root: str | os.PathLike[str], interactions: Sample
) -> tuple[TableReport, set[str] | None]:
    """Reads a table to its end, unless it is large; each id once where the config asks for that.

    Returns:
      The report, and which ids of the sampled interactions the table has; None where it is too large to know.
    """
    table = InputTable.of(kind, config_table, data_root)
    name = keys.CANDIDATE_ID if kind == "candidates" else keys.QUERY_ID
    if table.estimated_rows() > MAX_CHECKED_ROWS:
        return _report(table, table.sample().rows, None), None
    wanted = {row[name][0] for row in interactions.rows}
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
    distinct, counts = np.unique(np.frombuffer(hashes, dtype=np.int64), return_counts=True)
    if table.spec.duplicates == "refuse":
        _check_unique(table, name, set(distinct[counts > 1].tolist()))
    if kind == "candidates" and len(distinct) < MIN_CANDIDATES:
        raise table.error(
            f"at least {MIN_CANDIDATES} candidates{' that the filter keeps' if table.spec.filter else ''}",
            str(len(distinct)),
            "there is nothing to choose from: add the other candidates to the catalogue",
        )
    if not hashes:
        got = "none that data.queries.filter keeps" if table.spec.filter else "a header alone"
        raise table.error("at least one row", got, "fill the table or drop data.queries")
    return _report(table, sample, len(distinct)), known


def _check_unique(table: InputTable, name: str, repeated: set[int]) -> None:
    """Refuses repeated ids. Only where hashes meet are ids compared, in a second pass.

    Args:
      table: Of candidates or queries.
      name: Its id's column.
      repeated: Hashes that several rows' ids have.
    """
    if not repeated:
        return
    first: dict[object, str] = {}
    for place, values in table.rows():
        row_id = values[name][0]
        if hash(row_id) in repeated and first.setdefault(row_id, place) != place:
            raise table.error(
                "each id once",
                f"{shown(row_id)} in {first[row_id]} and again in {place} (from 0)",
                f"keep one row an id, or set data.{table.spec.kind}.duplicates to first or last",
                name,
            )


def _check_queries_are_several(table: InputTable, sample: Sample) -> None:
    ids = {row[keys.QUERY_ID][0] for row in sample.rows}
    if sample.is_whole and len(ids) < MIN_QUERIES:
        raise table.error(
            f"at least {MIN_QUERIES} different query ids",
            f"only {shown(next(iter(ids)))}",
            f"a model needs several queries: is {table.spec.column(keys.QUERY_ID).key} the right column?",
            keys.QUERY_ID,
        )


def _check_unknown_candidates(table: InputTable, data: Data, sample: Sample, known: set[str]) -> list[str]:
    """Refuses a whole table with too many unknown candidates; warns where a sample has none that is known."""
    unknown = [row[keys.CANDIDATE_ID][0] for row in sample.rows if row[keys.CANDIDATE_ID][0] not in known]
    check = data.gate.unknown_candidates
    if not unknown or check.action == "ignore":
        return []
    fraction = len(unknown) / len(sample.rows)
    if not sample.is_whole:
        return [
            f"{table.path}: the first rows name only candidates that {data.candidates.path} lacks, "
            f"e.g. {shown(unknown[0])}; are the ids written the same way in both?"
        ] * (fraction == 1.0)
    if fraction <= check.threshold:
        return []
    refusal = table.error(
        f"at most {check.threshold} of all rows with unknown candidates",
        f"{len(unknown)} of {len(sample.rows)} that {data.candidates.path} lacks, e.g. {shown(unknown[0])}",
        "write ids the same way in both, complete the catalogue, or raise data.gate.unknown_candidates.threshold",
        keys.CANDIDATE_ID,
    )
    if check.action == "warn":
        return [str(refusal)]
    raise refusal


def _unknown_queries(table: InputTable, sample: Sample, known: set[str] | None) -> list[str]:
    if known or known is None or not sample.rows:
        return []
    example = shown(sample.rows[0][keys.QUERY_ID][0])
    return [
        f"{table.path}: the first rows name only queries that the queries table lacks, e.g. {example}; "
        "are the ids written the same way in both?"
    ]


def _beyond_one_machine(table: InputTable, sample: Sample) -> list[str]:
    """Warns of more interactions than the direct runner was measured with."""
    if sample.is_whole or not sample.rows:
        return []
    rows = table.estimated_rows()
    if table.spec.filter is not None:
        rows = round(rows * len(sample.rows) / sample.rows_read)
    if rows <= DIRECT_RUNNER_ROWS:
        return []
    return [
        f"{table.path}: about {rows:,} interactions; up to {DIRECT_RUNNER_ROWS:,} were measured on one machine with "
        "Beam's direct runner, which keeps groups in memory; beyond that, Flink or Dataflow is the engine to use"
    ]


def _check_something_is_evaluable(table: InputTable, data: Data, sample: Sample, known: set[str]) -> None:
    """Refuses a whole table from which the split can hold nothing out."""
    if not sample.is_whole:
        return
    queries: dict[object, list[splits.Interaction]] = collections.defaultdict(list)
    for number, row in enumerate(sample.rows):
        if row[keys.CANDIDATE_ID][0] in known:
            queries[row[keys.QUERY_ID][0]].append(_interaction(number, row))
    kept = [splits.without_repeats(rows, data.interactions.repeats) for rows in queries.values()]
    expected = _EVALUABLE[data.split.kind](kept, data.split)
    if expected is not None:
        raise table.error(
            f"{expected} for split {data.split.kind}",
            f"none among {sum(map(len, kept))} rows with known candidates",
            "add interactions or choose another data.split",
        )


def _interaction(number: int, row: ParsedRow) -> splits.Interaction:
    """Returns a row as the windows see it; `number` is its place in the order of files and rows."""
    return splits.Interaction(
        timestamp=int(row.get(keys.TIMESTAMP, [0])[0]),
        nanos=int(row.get(keys.TIMESTAMP_NANOS, [0])[0]),
        source_path=b"",
        source_row=number,
        candidate_id=str(row[keys.CANDIDATE_ID][0]).encode(),
        weight=float(row.get(keys.WEIGHT, [1.0])[0]),
    )


_Queries = Sequence[Sequence[splits.Interaction]]


def _last_needs(queries: _Queries, split: LeaveLastOut | LeaveLastBasket) -> str | None:
    if any(keys.SPLIT_TEST in splits.assign(rows, split) for rows in queries):
        return None
    is_basket = isinstance(split, LeaveLastBasket)
    return "a query with at least " + ("2 different timestamps" if is_basket else "3 interactions")


def _temporal_needs(queries: _Queries, split: Temporal) -> str | None:
    times = [row.timestamp for row in itertools.chain(*queries) if row.is_target]
    if min(times, default=split.eval_from) >= split.eval_from:
        return f"an interaction before eval_from={split.eval_from}"
    if max(times) < split.test_from:
        return f"an interaction at or after test_from={split.test_from}"
    return None


def _random_needs(queries: _Queries, split: Random) -> str | None:
    targets = sum(row.is_target for row in itertools.chain(*queries))
    return None if splits.random_counts(targets)[2] else "at least 5 interactions, of which 20% are test,"


_EVALUABLE: dict[str, Callable[[_Queries, Any], str | None]] = {
    "leave_last_out": _last_needs,
    "leave_last_basket": _last_needs,
    "temporal": _temporal_needs,
    "random": _random_needs,
}
