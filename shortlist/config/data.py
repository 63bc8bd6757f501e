"""The `data` section: input tables, their split and their checks."""

from __future__ import annotations

import pydantic

from shortlist.config.gate import Gate
from shortlist.config.section import Section
from shortlist.config.split import LeaveLastOut, Split, WindowsSection
from shortlist.config.table import Candidates, Interactions, Queries, Table, TableName


class Data(Section):
    """Where the data is and how it is split."""

    source: str | None = None
    """Public data set that `run` fetches when it is missing, as `shortlist data fetch` names it."""

    interactions: Interactions
    candidates: Candidates
    queries: Queries | None = None

    schemas: str
    """Folder with interactions.pbtxt, candidates.pbtxt and, with queries, queries.pbtxt."""

    split: Split = LeaveLastOut()
    windows: WindowsSection = WindowsSection()

    max_interactions_per_query: int = pydantic.Field(10_000, ge=3)
    """Latest interactions kept a query; the drops are counted and reported."""

    gate: Gate = Gate()

    @property
    def tables(self) -> dict[TableName, Table]:
        """The tables that there are, by name."""
        tables: dict[TableName, Table] = {"interactions": self.interactions, "candidates": self.candidates}
        return tables | {"queries": self.queries} if self.queries else tables

    @pydantic.model_validator(mode="after")
    def _time_where_order_matters(self) -> Data:
        if self.interactions.timestamp is None and self.split.kind != "random":
            raise ValueError(f"split {self.split.kind} needs interactions.timestamp; only split random does without")
        return self
