"""The `report` section: contents of a run's HTML report."""

from __future__ import annotations

from shortlist.config.section import Section


class ReportSection(Section):
    """The HTML report of a run."""

    examples: bool = True
    """Show five test queries with their history, their target and their recommendations. Histories are personal data.
    With `false`, no history is written to the report or to the files that it is made from."""

    query_ids: bool = False
    """Show the ids of these queries. By default they are numbered 1 to 5."""
