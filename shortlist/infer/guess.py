"""Guesses about every table from its sampled columns, with a reason for each part."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from shortlist.config import text_format as config_format
from shortlist.errors import ConfigError
from shortlist.infer import dirt, entities, explain, feedback, names, profile, roles, times
from shortlist.infer.columns import InferredColumn, determines
from shortlist.infer.entities import TableGuess
from shortlist.infer.settings import Size
from shortlist.infer.tables import TableSample, sample
from shortlist.infer.text_format import TextOptions
from shortlist.infer.times import TimeChoice, TimeReading

NO_TIMES = "none"
ROW_ORDER = "row"

_OPTIONS = ("--query-id", "--candidate-id", times.OPTION)

# Above it, `repeats: first` is proposed, and the profile's reader is told about repeat consumption.
_MANY_REPEATS = 0.1
# In fewer rows, each candidate may occur once by chance.
_MIN_UNIQUE_ROWS = 50


@dataclasses.dataclass(frozen=True)
class Hints:
    """Columns and formats that the user has named; the others are guessed."""

    query_id: str | None = None
    candidate_id: str | None = None
    timestamp: str | None = None
    """Name of a column, or `none` or `row`, unless a column has this name."""

    timestamp_format: str | None = None
    text: TextOptions = dataclasses.field(default_factory=TextOptions)
    candidates_columns: tuple[str, ...] | None = None
    """Names of the columns of a catalogue without a header."""

    queries_columns: tuple[str, ...] | None = None
    """Names of the columns of a table of queries without a header."""

    @property
    def names(self) -> list[str]:
        """The named columns."""
        return [name for name in (self.query_id, self.candidate_id, self.timestamp) if name]


@dataclasses.dataclass(frozen=True)
class Guess:
    """Parts of a first config."""

    tables: Mapping[str, TableGuess]
    split: Literal["leave_last_out", "leave_last_basket", "random"]
    size: Size
    """Number of queries, candidates and rows, which the training settings depend on."""

    profile: Sequence[str]
    """Facts about the log, one a line."""

    warnings: Sequence[str]
    """Suspicious facts."""

    reasons: Sequence[str]
    """One sentence per guess, with its reason."""

    new_items_reason: str | None = None
    """Why the gate on new items should only warn; None if it should stop a push."""


@dataclasses.dataclass(frozen=True)
class _Log:
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


def guess_config(
    interactions: str,
    candidates: str | None,
    queries: str | None,
    data_root: str | os.PathLike[str],
    hints: Hints,
) -> Guess:
    """Guesses the roles of all columns from the first rows of each table.

    Args:
      interactions: Path of the log, as in a config.
      candidates: Path of the catalogue. Without one, the catalogue consists of the log's own candidates.
      queries: Path of the queries' features. Without one, they come from the log, if it has columns for them.
      data_root: Start of relative paths; may be a URI.
      hints: Columns and formats that the user has named.

    Raises:
      ConfigError: No column fits a role, several fit equally well, or the file's layout has no row per interaction.
      DataError: A file is missing or cannot be read.
    """
    _check_options(hints)
    log_sample = sample("interactions", interactions, data_root, hints.text, "--columns")
    reasons = [f"Read the first {log_sample.rows:,} rows of {interactions}.", *log_sample.reasons]
    if not log_sample.is_whole:
        reasons.append(
            f"The log has about {log_sample.estimated_rows:,} rows; later ones may contain other faults: `run` checks "
            "all rows."
        )
    log = _roles(log_sample.columns, hints, reasons)
    section: dict[str, Any] = {"path": interactions, **log_sample.options}
    section |= {"query_id": log.query.name, "candidate_id": log.candidate.name, **_time_section(log)}
    conditions = dirt.find_conditions(log.columns, log.query, log.candidate, log.time, log.basket)
    used = _add_filter_and_weights(log, conditions, section, reasons)
    rest = [column for column in log.columns if column.name not in {*log.roles, *used}]
    tables = {"interactions": TableGuess(section, {}, {})}
    if candidates:
        text = TextOptions(columns=hints.candidates_columns)
        tables["candidates"] = entities.table_of_file(
            "candidates", candidates, log.candidate, data_root, text, conditions, reasons
        )
    else:
        tables["candidates"] = entities.table_of_log("candidates", section, log.candidate, log.query, rest, None)
        reasons.append(
            f"No catalogue was given: it is every {log.candidate.name} of the log, with the columns that are the same "
            "in all of its rows."
        )
    if queries:
        text = TextOptions(columns=hints.queries_columns)
        tables["queries"] = entities.table_of_file("queries", queries, log.query, data_root, text, (), reasons)
    else:
        guess = entities.table_of_log("queries", section, log.query, log.candidate, rest, log.moments)
        if guess.types:
            tables["queries"] = guess
            reasons.append(f"Features of a query, the same in all of its rows: {names.enumerated(list(guess.types))}.")
    for kind, path in (("candidates", candidates), ("queries", queries)):
        if path:
            reasons.append(explain.table_reason(kind, path, tables[kind]))
    new_items = explain.new_items_reason(tables["candidates"])
    _add_unused(rest, tables, reasons)
    if new_items:
        reasons.append(new_items)
    return Guess(
        tables,
        _split(log, reasons),
        _size(log, log_sample, tables["candidates"]),
        profile.lines(log.columns, log.query, log.candidate, log.time, log_sample.is_whole),
        profile.warnings(log.query, log.candidate, log.time),
        reasons,
        new_items,
    )


def _size(log: _Log, log_sample: TableSample, candidates: TableGuess) -> Size:
    """Returns the size of the data.

    The rows of a query are taken to be as many as in the sample. Candidates are those of the catalogue's file; without
    one they are those of the sample, and later rows may have more.
    """
    growth = log_sample.estimated_rows / log_sample.rows
    return Size(
        queries=round(len(log.query.counts) * growth),
        candidates=max(len(log.candidate.counts), candidates.estimated_rows or 0),
        rows=log_sample.estimated_rows,
    )


def _check_options(hints: Hints) -> None:
    """Refuses options that a config would refuse, before they are used.

    Raises:
      ConfigError: Names the option.
    """
    text = hints.text
    checks: list[tuple[str, Callable[[Any], Any], Any]] = [
        ("--delimiter", config_format.checked_delimiter, text.delimiter),
        ("--encoding", config_format.checked_encoding, text.encoding),
        ("--timestamp-format", config_format.checked_time_format, hints.timestamp_format),
    ]
    for option, columns in (
        ("--columns", text.columns),
        ("--candidates-columns", hints.candidates_columns),
        ("--queries-columns", hints.queries_columns),
    ):
        checks.append((option, lambda names: config_format.checked_columns(names, header=False), columns))
    for option, check, value in checks:
        if value is None:
            continue
        try:
            check(value)
        except ValueError as error:
            raise ConfigError(f"{option}: {error}") from None
    if text.decimal not in (None, ".", ","):
        raise ConfigError.from_parts("--decimal", '"." or ","', repr(text.decimal))


def _roles(columns: Sequence[InferredColumn], hints: Hints, reasons: list[str]) -> _Log:
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
    if reading is not None and (clock := times.clock_beside(reading, columns)):
        reasons.append(
            f"{reading.column.name} has no time of day, but {clock.name} has ({next(iter(clock.counts))!r}): join the "
            f"two first, e.g. with pandas: log[{reading.column.name!r}] + ' ' + log[{clock.name!r}]. "
            "Otherwise all rows of a day are one basket."
        )
    return _Log(columns, query, candidate, reading, order, basket)


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


def _time_section(log: _Log) -> dict[str, Any]:
    if log.time is None:
        return {"timestamp": None} | ({"timestamp_unit": "row"} if log.order == "row" else {})
    section: dict[str, Any] = {"timestamp": log.time.column.name}
    if log.time.format is not None:
        section["timestamp_format"] = log.time.format
    elif log.time.kind == "order":
        section["timestamp_unit"] = "order"
    return section


def _add_filter_and_weights(
    log: _Log, conditions: Sequence[dirt.Condition], section: dict[str, Any], reasons: list[str]
) -> list[str]:
    """Adds the filter, the weights and `repeats` to the log's section. Returns the names of the columns they use."""
    texts = [condition.text for condition in conditions]
    for condition in conditions:
        rows, candidates = dirt.losses([condition], log.candidate)
        reasons.append(
            f"Filter `{condition.text}`: {condition.reason}; it drops {rows:,} rows and all rows of {candidates:,} "
            "candidates."
        )
    known = [*log.roles, *([log.basket.name] if log.basket else [])]
    used = known[len(log.roles) :]
    impressions = feedback.find_impressions(log.columns, known)
    if impressions:
        column, condition_text = impressions
        texts.append(condition_text)
        kept = sum(text == _constant(condition_text) for text in column.texts)
        reasons.append(
            f"Filter `{condition_text}`: {column.name} says whether a shown candidate was taken; {kept:,} of "
            f"{len(column.texts):,} rows were. The others are impressions, no interactions."
        )
        used.append(column.name)
    if texts:
        section["filter"] = " and ".join(texts)
    events = None if impressions else feedback.find_event_types(log.columns, known)
    if events:
        section["weight"] = {"column": events.column.name, "values": events.weights}
        reasons.append(f"{events.column.name} is the interaction's type; its weights are a guess: {events.weights}.")
        for value in events.unknown:
            reasons.append(
                f"{value!r} is no known type of {events.column.name} ({events.column.counts[value]:,} rows): weight 0 "
                "makes it history and never a target. Give it a weight, or drop its rows with `filter: "
                f"{names.quoted(events.column.name)} != {_quoted_text(value)}` if it means the opposite of interest."
            )
        used.append(events.column.name)
    elif not impressions and (unknown := feedback.find_unknown_types(log.columns, [*known, *used])):
        listed = ", ".join(map(repr, list(unknown.counts)[:5]))
        reasons.append(
            f"{unknown.name} looks like a type of interaction, but none of its values is known ({listed}): all rows "
            "count the same. Weights per type: `weight: {column: ..., values: {...}}` under interactions."
        )
    for column in feedback.find_outcomes(log.columns, [*known, *used]):
        if not determines(log.candidate, column) and not determines(log.query, column):
            listed = ", ".join(f"{value!r} {count:,}" for value, count in column.counts.most_common(5))
            value = column.counts.most_common()[-1][0]
            reasons.append(
                f"{column.name} differs between rows ({listed}), and all of them count the same. If some mean no "
                f"interest, drop them, e.g. `filter: {names.quoted(column.name)} != {_quoted_text(value)}`."
            )
    rating = feedback.find_rating(log.columns, [*known, *used])
    if rating:
        reasons.append(feedback.rating_advice(rating, log.candidate))
        used.append(rating.name)
    repeats = profile.repeated_share(log.query, log.candidate)
    if repeats > _MANY_REPEATS and not events:
        section["repeats"] = "first"
        reasons.append(
            f"Repeats `first`: {repeats:.0%} of the rows repeat an earlier pair of query and candidate, and "
            "recommendations never include seen items. If people are to be recommended what they had before, use "
            "`repeats: all` and `evaluate.repeat_consumption: true`."
        )
    elif repeats > _MANY_REPEATS:
        reasons.append(
            f"{repeats:.0%} of the rows repeat an earlier pair of query and candidate. Plain metrics leave out targets "
            "that were seen before; if people are to be recommended what they had before, set "
            "`evaluate.repeat_consumption: true`."
        )
    return used


def _split(log: _Log, reasons: list[str]) -> Literal["leave_last_out", "leave_last_basket", "random"]:
    """Returns the kind of the split, and adds its reason."""
    if log.order == "none":
        reasons.append("Split random, and a features tower: without times there is no history and no last interaction.")
        return "random"
    if log.order == "row" or log.time is None:
        reasons.append("Split leave_last_out by the order of rows: the last row of a query is its newest.")
        return "leave_last_out"
    ties = profile.tied_share(log.query, log.time.column)
    if not log.basket and ties <= 0.5:
        reasons.append(f"Split leave_last_out: {ties:.0%} of the rows share query and time with another.")
        return "leave_last_out"
    if len(log.time.column.counts) == 1:
        reasons.append("Split leave_last_out by the order of rows: all have the same time.")
        return "leave_last_out"
    reason = "most rows share their time with another"
    if log.basket:
        reason = f"{log.basket.name} groups items that were bought together"
    reasons.append(f"Split leave_last_basket: {reason}; items of a basket are not history for its other items.")
    reasons.append(
        "train.basket_mates and model.query_time: joint purchases and seasons improved metrics most on a shop's log; "
        "set them to 0 and null to measure their effect on your data."
    )
    return "leave_last_basket"


def _column(name: str | None, columns: Sequence[InferredColumn]) -> InferredColumn | None:
    """Returns the column that a hint names; None without a hint."""
    if name is None:
        return None
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        raise ConfigError.from_parts("", f"a column {name!r}", names.enumerated([column.name for column in columns]))
    return found


def _add_unused(rest: Sequence[InferredColumn], tables: Mapping[str, TableGuess], reasons: list[str]) -> None:
    """Adds sentences about the log's columns that have no role."""
    features = {id(column) for table in tables.values() for column in table.columns.values()}
    unused = [column for column in rest if id(column) not in features]
    others = [names.shown(column.name) for column in unused if column.unsuitable() is None]
    if others:
        reasons.append(
            "Not used, because they differ between the rows of an id, name each id, or are personal: "
            f"{names.enumerated(others)}."
        )
    unsuitable = [
        f"{names.shown(column.name)} ({reason})" for column in unused if (reason := column.unsuitable()) is not None
    ]
    if unsuitable:
        reasons.append(f"Left out: {names.enumerated(unsuitable)}.")


def _constant(condition: str) -> str:
    return condition.rsplit(" == ", 1)[1].strip('"')


def _quoted_text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
