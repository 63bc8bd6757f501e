"""What the server knows of queries: their histories and their features."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import orjson

from server.documents import Documents
from server.stored_values import StoredValues
from shortlist.errors import BadInputError

_LOGGER = logging.getLogger("shortlist.server")


class Event(NamedTuple):
    """An interaction of a history."""

    id: str
    time: int
    """Seconds since 1970, or an order number."""
    features: Mapping[str, Any] = {}
    """Value by name of the interaction's features."""


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of one query."""

    events: list[Event]
    """The history, oldest first."""
    features: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Value by name of the query's features; a list of one or more values, or a plain value."""
    seen: tuple[str, ...] = ()
    """Candidates of the query that are not in its history, since that ends at a length."""


class Misfit(NamedTuple):
    """A column of the server's tables that a model cannot read."""

    column: str
    of_events: bool
    """Whether it is a feature of interactions; else one of queries."""
    error: BadInputError
    """Names the file, the column and a row."""


class FeatureReader(Protocol):
    """The features that a model reads: `server.features.Features`."""

    def misfits_of_queries(self, values: StoredValues) -> list[Misfit]:
        """Returns the columns of queries' features that the model cannot read."""

    def misfits_of_events(self, values: StoredValues) -> list[Misfit]:
        """Returns the columns of interactions' features that the model cannot read."""


class Histories(Protocol):
    """Histories by query. `find` can be called from several threads."""

    @property
    def is_in_memory(self) -> bool:
        """Whether `find` reads no file, and so can be called by an event loop."""

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Returns the columns that a model cannot read; such a model must not answer with these histories."""

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for an unknown query."""

    def close(self) -> None:
        """Frees what the histories take."""


class Readable:
    """Histories without the columns that a model cannot read, for tables that nobody has named.

    A config's tables may be of another type than at the push, because the config has changed since.
    """

    def __init__(self, histories: Histories, unnamed: Collection[bool]) -> None:
        """Takes histories.

        Args:
          histories: The histories.
          unnamed: The columns that may be left out: `Misfit.of_events` of these.
        """
        self._histories = histories
        self._unnamed = unnamed
        self._left_out: frozenset[tuple[str, bool]] = frozenset()

    @property
    def is_in_memory(self) -> bool:
        """Whether `find` reads no file."""
        return self._histories.is_in_memory

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Leaves out the columns that a model cannot read, and returns those that must not be left out."""
        found = self._histories.misfits(features)
        for misfit in found:
            if misfit.of_events in self._unnamed and misfit[:2] not in self._left_out:
                self._left_out |= {misfit[:2]}
                _LOGGER.warning("A feature is left out, since the model cannot read it: %s", misfit.error)
        return [misfit for misfit in found if misfit.of_events not in self._unnamed]

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for an unknown query."""
        known, left_out = self._histories.find(query_id, before), self._left_out
        if known is None or not left_out:
            return known

        def kept(features: Mapping[str, Any], of_events: bool) -> Mapping[str, Any]:
            return {name: value for name, value in features.items() if (name, of_events) not in left_out}

        events = [event._replace(features=kept(event.features, of_events=True)) for event in known.events]
        return dataclasses.replace(known, events=events, features=kept(known.features, of_events=False))

    def close(self) -> None:
        """Frees what they take."""
        self._histories.close()


class WithFeatures:
    """Histories, and the features of queries from another table."""

    def __init__(
        self,
        histories: Histories | None,
        rows: Iterable[tuple[str | None, Mapping[str, Any]]],
        memory_mb: float,
        keeps_first: bool = False,
        source: object = "the queries",
    ) -> None:
        """Reads the features.

        Args:
          histories: The histories; None for none.
          rows: Query id and values by feature; a row without an id is skipped.
          memory_mb: Size up to which they are kept in memory; larger ones go to a temporary sqlite file.
          keeps_first: Whether of several rows of one query the first counts; else the last.
          source: Name of the table for messages.
        """
        self._histories = histories
        self._documents = Documents(memory_mb)
        self._values = StoredValues(source)
        try:
            for row, (query_id, features) in enumerate(rows):
                if query_id is None:
                    continue
                self._values.add(features, lambda row=row: f"row {row} (from 0)")  # type: ignore[misc]
                self._documents.add(query_id, -row if keeps_first else row, encoded(features))
            self._documents.flush()
        except BaseException:
            self._documents.close()
            raise

    @property
    def is_in_memory(self) -> bool:
        """Whether `find` reads no file."""
        return self._documents.is_in_memory and (self._histories is None or self._histories.is_in_memory)

    def misfits(self, features: FeatureReader) -> list[Misfit]:
        """Returns the columns that a model cannot read."""
        found = [] if self._histories is None else self._histories.misfits(features)
        return [*found, *features.misfits_of_queries(self._values)]

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for one that is in neither table."""
        known = None if self._histories is None else self._histories.find(query_id, before)
        content = self._documents.find(query_id)
        if content is None:
            return known
        known = known or Known([])
        return dataclasses.replace(known, features={**known.features, **decoded(content)})

    def close(self) -> None:
        """Frees what they take."""
        self._documents.close()
        if self._histories is not None:
            self._histories.close()


def encoded(features: Mapping[str, Any]) -> bytes:
    """Returns features as JSON without the missing ones; `b""` if all are.

    A value that JSON cannot hold is no value of a model, see `StoredValues`. It becomes a missing one.
    """
    present = {name: value for name, value in features.items() if value is not None}
    return orjson.dumps(present, default=lambda value: None, option=orjson.OPT_SORT_KEYS) if present else b""


def decoded(content: bytes) -> Mapping[str, Any]:
    """Returns features from JSON, see `encoded`."""
    found: Mapping[str, Any] = orjson.loads(content) if content else {}
    return found
