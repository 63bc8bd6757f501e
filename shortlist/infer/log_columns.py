"""The log's columns by role."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from shortlist.errors import ConfigError
from shortlist.infer import explain, names, roles, time_readings, times
from shortlist.infer.columns import InferredColumn
from shortlist.infer.hints import NO_TIMES, ROW_ORDER, Hints
from shortlist.infer.time_readings import TimeReading
from shortlist.infer.times import TimeChoice

_OPTIONS = ("--query-id", "--candidate-id", times.OPTION)

# In fewer rows, each candidate may occur once by chance.
_MIN_UNIQUE_ROWS = 50


@dataclasses.dataclass(frozen=True)
class LogColumns:
    """The log's columns by role."""

    columns: Sequence[InferredColumn]
    query: InferredColumn
    candidate: InferredColumn
    time: TimeReading | None
    order: Literal["time", "row", "none"]
    basket: InferredColumn | None

    @property
    def moments(self) -> InferredColumn | None:
        """The column whose equal values are one visit or order of a query; None without baskets and times."""
        return self.basket or (self.time.column if self.time else None)

    @property
    def roles(self) -> list[str]:
        """Names of the columns of the query, the candidate and the time."""
        return [self.query.name, self.candidate.name, *([self.time.column.name] if self.time else [])]


def find_roles(columns: Sequence[InferredColumn], hints: Hints, reasons: list[str]) -> LogColumns:
    """Returns the roles of the log's columns, and adds their reasons."""
    order = _order(columns, hints)
    time_hint = _column(hints.timestamp, columns) if order == "time" else None
    taken = [name for name in hints.names if any(column.name == name for column in columns)]
    query_hint, candidate_hint = _column(hints.query_id, columns), _column(hints.candidate_id, columns)
    query_choice = roles.RoleChoice(query_hint) if query_hint else roles.find_query_id(columns, taken)
    query = query_choice.column
    candidate_choice = (
        roles.RoleChoice(candidate_hint) if candidate_hint else roles.find_candidate_id(columns, [*taken, query.name])
    )
    candidate = candidate_choice.column
    time_choice: TimeChoice | None = None
    if order == "time":
        time_choice = times.choose(columns, query, candidate, time_hint, hints.timestamp_format)
    reading = time_choice.reading if time_choice else None
    choices = (
        (explain.query_reason(query, query_hint is not None), query_choice.runner_up),
        (explain.candidate_reason(candidate, candidate_hint is not None), candidate_choice.runner_up),
        (explain.time_reason(reading, order, time_hint is not None), time_choice.runner_up if time_choice else None),
    )
    for role, option, (reason, runner_up) in zip(("query", "candidate", "time"), _OPTIONS, choices, strict=True):
        reasons.append(reason)
        if runner_up:
            reasons.append(f"Not the {role}: {runner_up} (change it with {option}).")
    _check_ids(candidate, "--candidate-id")
    known = [query.name, candidate.name, *([reading.column.name] if reading else [])]
    basket = roles.find_basket(columns, query, known) if order == "time" else None
    if reading is not None and (clock := time_readings.clock_beside(reading, columns)):
        reasons.append(
            f"{reading.column.name} has no time of day, but {clock.name} has ({next(iter(clock.counts))!r}): join the "
            f"two first, e.g. with pandas: log[{reading.column.name!r}] + ' ' + log[{clock.name!r}]. "
            "Otherwise all rows of a day are one basket."
        )
    return LogColumns(columns, query, candidate, reading, order, basket)


def _check_ids(candidate: InferredColumn, option: str) -> None:
    """Refuses a column of candidates in which no value occurs twice.

    Raises:
      ConfigError: Its values are lists, or each row has another one.
    """
    values = len(candidate.counts)
    if candidate.is_list or (len(candidate.present) >= _MIN_UNIQUE_ROWS and values == len(candidate.present)):
        example = next(iter(candidate.counts), "")
        raise ConfigError.from_parts(
            f"column {candidate.name!r}",
            "ids of candidates, which occur in several rows",
            f"another value in each of {values:,} rows, such as {example[:40]!r}",
            f"name another column with {option}; if a cell has several ids, write one row for each first",
        )


def _order(columns: Sequence[InferredColumn], hints: Hints) -> Literal["time", "row", "none"]:
    if any(column.name == hints.timestamp for column in columns):
        return "time"
    if hints.timestamp == NO_TIMES:
        return "none"
    if hints.timestamp == ROW_ORDER:
        return "row"
    return "time"


def _column(name: str | None, columns: Sequence[InferredColumn]) -> InferredColumn | None:
    """Returns the column that a hint names; None without a hint."""
    if name is None:
        return None
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise ConfigError.from_parts("", f"a column {name!r}", names.enumerated([column.name for column in columns]))
    return found
