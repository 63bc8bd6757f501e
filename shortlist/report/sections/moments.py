"""Hit rate by the time that a request names, for a model that uses times."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.blocks import PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns one row per time; None if the model uses no times, or if an older version did not measure it."""
    times = facts.answers.get("times")
    if not times:
        return None
    width = facts.answers["width"]
    rows = [
        [
            entry["time"],
            format.share(entry["hits"] / entry["rows"]),
            format.interval(entry["hits"] / entry["rows"], entry["rows"]),
        ]
        for entry in times
    ]
    table = TableBlock(
        f"HR@{width} by the time of the request, {times[0]['rows']:,} test rows",
        [TableColumn("time of the request", numeric=False), TableColumn(f"HR@{width}"), TableColumn("95% interval")],
        rows,
    )
    return PageSection(
        "times",
        "Time of the request",
        "The targets are always the same, whatever the time. All other metrics are those at the target's own time, "
        "which is what a service gets that asks when its user is there.",
        [table],
    )
