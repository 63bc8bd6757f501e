"""The `report` section."""

from __future__ import annotations

from shortlist.config.section import Section


class ReportSection(Section):
    """The report that every run writes, one page for a browser."""

    examples: bool = True
    """Five test queries with their history, what they took next and what they were recommended. Histories are personal
    data: with `false` none of them is written, neither into the report nor into what it is made from."""

    query_ids: bool = False
    """Call these queries by their own ids; unless asked they are numbered 1 to 5."""
