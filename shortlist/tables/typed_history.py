"""A history from the command line: candidate ids, each with an optional time."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Container, Iterator, Sequence

from shortlist.errors import BadInputError
from shortlist.scalars import short_repr


@dataclasses.dataclass(frozen=True)
class TypedHistory:
    """A history, and the ids that the catalogue does not have."""

    items: list[tuple[str, int]]
    """(candidate id, timestamp), oldest first; timestamp 0 means unknown."""
    unknown: list[str]
    """Texts without an id of the catalogue. They are left out, as the Python API and the server leave them out."""


def read_history(values: Sequence[str], candidate_ids: Container[str], read_time: Callable[[str], int]) -> TypedHistory:
    """Returns the history of the option's values.

    A value that is a candidate id, commas and spaces included, is this id. Any other value is one line of CSV (RFC
    4180): ids separated by commas, and in quotes if they have commas or quotes. `ID@TIME` is an id with its time,
    unless it is itself an id. If all ids have times, they are ordered by time.

    Args:
      values: The values of the option, in order. An empty value has no ids.
      candidate_ids: Ids of the catalogue.
      read_time: Returns a time from its text; may raise `BadInputError`.

    Raises:
      BadInputError: A value is not CSV.
    """
    items: list[tuple[str, int]] = []
    unknown: list[str] = []
    for value in values:
        whole = _item(value, candidate_ids, read_time)
        if whole is not None:
            items.append(whole)
            continue
        for field in _fields(value):
            item = _item(field, candidate_ids, read_time) or _item(field.strip(), candidate_ids, read_time)
            if item is not None:
                items.append(item)
            elif field.strip():
                unknown.append(field.strip())
    if all(time for _, time in items):
        items.sort(key=lambda item: item[1])
    return TypedHistory(items, unknown)


def _item(text: str, candidate_ids: Container[str], read_time: Callable[[str], int]) -> tuple[str, int] | None:
    """Returns the id and the time that a text stands for; None if it has no id of the catalogue."""
    if text in candidate_ids:
        return text, 0
    # The last @, because ids such as e-mail addresses may contain others.
    candidate_id, _, time = text.rpartition("@")
    if candidate_id in candidate_ids:
        return candidate_id, read_time(time)
    return None


def _fields(value: str) -> Iterator[str]:
    try:
        for row in csv.reader([value], skipinitialspace=True, strict=True):
            yield from row
    except csv.Error as error:
        raise BadInputError.from_reason(
            f"--history {short_repr(value)}",
            "ids separated by commas, in quotes as in CSV if they have commas or quotes",
            error,
            "repeat --history, with one id each",
        ) from None
