"""The request that `recommend` sends to a model: a query of the log, or a typed history, as of a time."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Sequence

from shortlist.config.data import Data
from shortlist.errors import BadInputError
from shortlist.quoting import listed
from shortlist.scalars import short_repr
from shortlist.tables import as_of, lookup
from shortlist.tables.typed_history import read_history

_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Request:
    """A request, and what a user should know about it."""

    query: lookup.Query
    as_of: as_of.AsOf
    notes: tuple[str, ...] = ()
    """Sentences about an unknown query, and about interactions that are left out."""


def of_query(
    data: Data,
    data_root: pathlib.Path,
    query_id: str,
    candidate_ids: Collection[str],
    at: str | as_of.AsOf | None,
    now: int,
    catalogue: str | None = None,
) -> Request:
    """Returns the request of a query of the log. An unknown query is asked for as a new one.

    Args:
      data: The config's section.
      data_root: Start of relative paths.
      query_id: The query's id.
      candidate_ids: Ids of the catalogue.
      at: The time of the request, see `as_of.read_time`; the history ends before it. By default, see
        `as_of.default_as_of`.
      now: Seconds since 1970.
      catalogue: Name of the catalogue for users; the table's path by default.

    Raises:
      BadInputError: The log cannot be read, or `at` is not a time.
    """
    log = lookup.Log(data, data_root)
    given = None if at is None else _given(log, at, now)
    query, times = log.find(query_id, candidate_ids, before=given.time if given else None)
    notes = _notes(query, data, catalogue or data.candidates.path)
    return Request(query, given or as_of.default_as_of(times, _newest(query), now), tuple(notes))


def of_history(
    data: Data,
    data_root: pathlib.Path,
    values: Sequence[str],
    candidate_ids: Collection[str],
    at: str | None,
    now: int,
    catalogue: str | None = None,
) -> Request:
    """Returns the request of a typed history, see `typed_history.read_history`.

    Ids that are not in the catalogue are left out, and a note names them. The log is read only for the times of the
    history, and for the default of `at`. See `of_query` for the arguments.

    Raises:
      BadInputError: A value is not CSV, a time is not one or after `at`, or the log cannot be read.
    """
    log: lookup.Log | None = None

    def opened() -> lookup.Log:
        nonlocal log
        log = log or lookup.Log(data, data_root)
        return log

    def read_time(text: str) -> int:
        timed = _timed(opened(), "--history")
        return as_of.read_time(text, timed.unit, "--history, after the @", timed.time_format)

    typed = read_history(values, candidate_ids, read_time)
    query = lookup.Query(None, typed.items, {})
    newest = _newest(query)
    if at is not None:
        given = _given(opened(), at, now)
        if newest is not None and given.time is not None and newest > given.time:
            raise BadInputError.from_parts(
                "--history", f"times until --at, {given.text}", as_of.time_text(newest, opened().unit)
            )
    elif newest is None:
        given = as_of.unknown_as_of()
    else:
        given = as_of.default_as_of(opened().times(), newest, now)
    notes = []
    if typed.unknown:
        notes.append(
            f"The history's {listed(typed.unknown, _NAMED)} {'is' if len(typed.unknown) == 1 else 'are'} left out: not "
            f"in {catalogue or data.candidates.path}. For an id with commas or spaces, repeat --history, with one id "
            "each."
        )
    if not typed.items:
        notes.append("The history is empty: answered as a new query.")
    return Request(query, given, tuple(notes))


def _given(log: lookup.Log, at: str | as_of.AsOf, now: int) -> as_of.AsOf:
    if isinstance(at, as_of.AsOf):
        return at
    return as_of.given_as_of(at, _timed(log, "--at").unit, "--at", now, log.time_format)


def _timed(log: lookup.Log, option: str) -> lookup.Log:
    if not log.has_times:
        raise BadInputError.from_parts(
            option, "no time", "one", "data.interactions.timestamp is null, so the model knows no times"
        )
    return log


def _newest(query: lookup.Query) -> int | None:
    return max((time for _, time in query.history if time), default=None)


def _notes(query: lookup.Query, data: Data, catalogue: str) -> list[str]:
    notes = []
    if not query.is_known:
        source = f"its features in {data.queries.path}" if data.queries and query.features else "no features"
        notes.append(
            f"Query {short_repr(query.query_id)} is not in {data.interactions.path}: answered as a new query, with "
            f"{source} and no history."
        )
    if query.rows_from_then_on:
        notes.append(f"{query.rows_from_then_on:,} interactions at or after this time are left out.")
    if query.not_in_catalogue:
        named = ", ".join(map(short_repr, query.not_in_catalogue[:_NAMED]))
        more = len(query.not_in_catalogue) - _NAMED
        notes.append(
            f"Interactions with {named}{f' and {more:,} more' if more > 0 else ''} are left out: not in {catalogue}."
        )
    return notes
