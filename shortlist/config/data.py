"""The `data` section: input tables, their split and their checks."""

from __future__ import annotations

import pydantic

from shortlist.config.gate import Gate
from shortlist.config.paths import local_folder
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Line, Section, Whole
from shortlist.config.split import SPANS_NEED_TIMES, LeaveLastOut, Split, Temporal, WindowsSection
from shortlist.config.table import Candidates, Interactions, Queries, Table, TableName


class Data(Section):
    """The input tables, their split and their checks."""

    source: Line | None = None
    """Name of a public data set, as in `shortlist data fetch`; `run` downloads it if it is missing."""

    interactions: Interactions
    """The interaction log."""

    candidates: Candidates
    """The catalogue."""

    queries: Queries | None = None
    """Features of the queries (users)."""

    schemas: Line
    """Folder with the schemas interactions.pbtxt and candidates.pbtxt; also queries.pbtxt if `queries` is set."""

    split: Split = LeaveLastOut()
    """How interactions are split into train, eval and test."""

    windows: WindowsSection = WindowsSection()
    """Sizes of the training windows."""

    max_interactions_per_query: Whole = pydantic.Field(10_000, ge=3, le=10_000_000)
    """Maximum number of interactions per query. Older ones are dropped, counted and reported."""

    gate: Gate = Gate()
    """Checks of the data before training."""

    @property
    def tables(self) -> dict[TableName, Table]:
        """The configured tables by name."""
        tables: dict[TableName, Table] = {"interactions": self.interactions, "candidates": self.candidates}
        if self.queries:
            tables["queries"] = self.queries
        return tables

    @pydantic.field_validator("schemas")
    @classmethod
    def _check_schemas(cls, schemas: str) -> str:
        return local_folder(without_credentials(schemas))

    @pydantic.model_validator(mode="after")
    def _check_timestamp(self) -> Data:
        if self.interactions.timestamp is not None:
            if isinstance(self.split, Temporal) and self.split.moves and self.interactions.timestamp_unit == "order":
                raise ValueError(f"split.{SPANS_NEED_TIMES}")
            return self
        in_order = self.interactions.timestamp_unit == "row"
        if self.split.kind != "random" and not (in_order and self.split.kind == "leave_last_out"):
            raise ValueError(
                f"split {self.split.kind} needs interactions.timestamp; without timestamps, only split random works, "
                "or leave_last_out with interactions.timestamp_unit: row, if the rows are in the order of time"
            )
        return self
