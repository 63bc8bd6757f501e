"""Guesses about every table from its sampled columns, with a reason for each part."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from shortlist.infer import dirt, entities, explain, names, profile
from shortlist.infer.columns import InferredColumn
from shortlist.infer.entities import TableGuess
from shortlist.infer.hints import Hints, check_hints
from shortlist.infer.log_columns import LogColumns, find_roles
from shortlist.infer.log_rows import add_filter_and_weights
from shortlist.infer.settings import Size
from shortlist.infer.tables import TableSample, sample
from shortlist.infer.text_format import TextOptions


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
    check_hints(hints)
    log_sample = sample("interactions", interactions, data_root, hints.text, "--columns")
    reasons = [f"Read the first {log_sample.rows:,} rows of {interactions}.", *log_sample.reasons]
    if not log_sample.is_whole:
        reasons.append(
            f"The log has about {log_sample.estimated_rows:,} rows; later ones may contain other faults: `run` checks "
            "all rows."
        )
    log = find_roles(log_sample.columns, hints, reasons)
    section: dict[str, Any] = {"path": interactions, **log_sample.options}
    section |= {"query_id": log.query.name, "candidate_id": log.candidate.name, **_time_section(log)}
    conditions = dirt.find_conditions(log.columns, log.query, log.candidate, log.time, log.basket)
    used = add_filter_and_weights(log, conditions, section, reasons)
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


def _size(log: LogColumns, log_sample: TableSample, candidates: TableGuess) -> Size:
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


def _time_section(log: LogColumns) -> dict[str, Any]:
    if log.time is None:
        return {"timestamp": None} | ({"timestamp_unit": "row"} if log.order == "row" else {})
    section: dict[str, Any] = {"timestamp": log.time.column.name}
    if log.time.format is not None:
        section["timestamp_format"] = log.time.format
    elif log.time.kind == "order":
        section["timestamp_unit"] = "order"
    return section


def _split(log: LogColumns, reasons: list[str]) -> Literal["leave_last_out", "leave_last_basket", "random"]:
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
