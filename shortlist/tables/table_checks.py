"""Checks of single tables before any component starts: rows, ids and times."""

from __future__ import annotations

import array
import dataclasses
import itertools
import os
from collections.abc import Sequence

import numpy as np

from shortlist import keys
from shortlist.config.data import Data
from shortlist.config.table import Table
from shortlist.scalars import short_repr
from shortlist.tables import inputs
from shortlist.tables.input_table import SAMPLED_ROWS, InputTable, ParsedRow, Sample
from shortlist.tables.spec import Kind

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


def report_of(table: InputTable, sample: Sequence[ParsedRow], rows: int | None) -> TableReport:
    """Returns a table's report; `rows` is the number that a run will use, None if unknown."""
    return TableReport(table.path, table.files, table.columns, tuple(sample[:SAMPLED_ROWS]), rows)


def check_first_rows(table: InputTable, sample: Sample) -> list[str]:
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


def check_times(table: InputTable) -> None:
    """Refuses an invalid time in the first 200,000 rows: other readers would find it after two components only."""
    if all(column.name != keys.TIMESTAMP for column in table.spec.columns):
        return
    # The other columns are not read, which takes half as long.
    spec = dataclasses.replace(table.spec, columns=(table.spec.column(keys.TIMESTAMP),))
    for _ in itertools.islice(dataclasses.replace(table, spec=spec).rows(), MAX_CHECKED_TIMES):
        pass


def unique_table(
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
        return report_of(table, table.sample().rows, None), None
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
    return report_of(table, sample, len(distinct)), known


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


def check_query_count(table: InputTable, sample: Sample) -> None:
    """Refuses a complete log of a single query, which no model can learn from."""
    ids = {row[keys.QUERY_ID][0] for row in sample.rows}
    if sample.is_whole and len(ids) < MIN_QUERIES:
        raise table.error(
            f"at least {MIN_QUERIES} different query ids",
            f"only {short_repr(next(iter(ids)))}",
            f"a model needs several queries: is {table.spec.column(keys.QUERY_ID).key} the right column?",
            keys.QUERY_ID,
        )


def check_unknown_candidates(table: InputTable, data: Data, sample: Sample, known: set[str]) -> list[str]:
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


def unknown_query_warnings(table: InputTable, sample: Sample, known: set[str] | None) -> list[str]:
    """Returns a warning if none of the log's first queries is among the known ones; None are too many to know."""
    if known or known is None or not sample.rows:
        return []
    example = short_repr(sample.rows[0][keys.QUERY_ID][0])
    return [
        f"{table.path}: no query of the first rows is in the queries table, e.g. {example}; "
        "do both tables write ids the same way?"
    ]


def size_warnings(table: InputTable, sample: Sample) -> list[str]:
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
