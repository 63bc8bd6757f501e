"""What the server knows of queries: their histories and their features."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import orjson

from server.documents import Documents
from shortlist import keys, splits
from shortlist.config.table import Repeats


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


class Histories(Protocol):
    """Histories by query. `find` can be called from several threads."""

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for an unknown query."""

    def close(self) -> None:
        """Frees what the histories take."""


class AsTrained:
    """Histories of the log, as the node Windows makes them: without repeats, and of limited length."""

    def __init__(self, histories: Histories, repeats: Repeats, max_interactions: int) -> None:
        """Takes histories of all rows.

        Args:
          histories: The histories. Events of weight 0 have it among their features.
          repeats: `data.interactions.repeats`.
          max_interactions: `data.max_interactions_per_query`.
        """
        self._histories = histories
        self._repeats = repeats
        self._max_interactions = max_interactions

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for an unknown query."""
        known = self._histories.find(query_id, before)
        if known is None:
            return None
        rows = [
            splits.Interaction(event.time, 0, b"", row, event.id.encode(), event.features.get(keys.WEIGHT, 1.0))
            for row, event in enumerate(known.events)
        ]
        kept = splits.drop_repeats(rows, self._repeats)[-self._max_interactions :]
        return dataclasses.replace(known, events=[known.events[row.source_row] for row in kept])

    def close(self) -> None:
        """Frees what they take."""
        self._histories.close()


class WithFeatures:
    """Histories, and the features of queries from another table."""

    def __init__(
        self,
        histories: Histories | None,
        rows: Iterable[tuple[str, Mapping[str, Any]]],
        memory_mb: float,
        keeps_first: bool = False,
    ) -> None:
        """Reads the features.

        Args:
          histories: The histories; None for none.
          rows: Query id and values by feature.
          memory_mb: Size up to which they are kept in memory; larger ones go to a temporary sqlite file.
          keeps_first: Whether of several rows of one query the first counts; else the last.
        """
        self._histories = histories
        self._documents = Documents(memory_mb)
        try:
            for row, (query_id, features) in enumerate(rows):
                present = {name: value for name, value in features.items() if value is not None}
                self._documents.add(query_id, -row if keeps_first else row, orjson.dumps(present))
            self._documents.flush()
        except BaseException:
            self._documents.close()
            raise

    def find(self, query_id: str, before: int) -> Known | None:
        """Returns what is known of a query before a time; None for one that is in neither table."""
        known = None if self._histories is None else self._histories.find(query_id, before)
        content = self._documents.find(query_id)
        if content is None:
            return known
        known = known or Known([])
        return dataclasses.replace(known, features={**known.features, **orjson.loads(content)})

    def close(self) -> None:
        """Frees what they take."""
        self._documents.close()
        if self._histories is not None:
            self._histories.close()
