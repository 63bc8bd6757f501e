"""The interaction log of a model's workspace, for the histories of its queries."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import time
from collections.abc import Collection, Mapping

from shortlist.config.data import Data
from shortlist.tables import as_of, lookup, request


@dataclasses.dataclass(frozen=True)
class ModelLog:
    """The tables of the run that trained a model."""

    data: Data
    """The config's section."""
    data_root: pathlib.Path
    """Start of relative paths."""

    @functools.cached_property
    def titles(self) -> Mapping[str, str | None]:
        """Title by candidate id, from today's catalogue."""
        return lookup.candidate_titles(self.data, self.data_root)

    def request(
        self, query_id: str, candidate_ids: Collection[str], at: as_of.AsOf | None, catalogue: str
    ) -> request.Request:
        """Returns the request of a query, see `tables.request.of_query`."""
        return request.of_query(
            self.data, self.data_root, query_id, candidate_ids, at, int(time.time()), catalogue=catalogue
        )
