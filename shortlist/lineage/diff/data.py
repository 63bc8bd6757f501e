"""Changes of the data and its schemas between two runs."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from shortlist.lineage import drift, fingerprints, schemas, settings
from shortlist.lineage.compared import RunOrVersion
from shortlist.lineage.diff.changes import Change, change, count_change, setting_changes
from shortlist.lineage.executions import Artifact
from shortlist.records import nodes
from shortlist.records.artifacts import TableRecord
from shortlist.records.nodes import TABLES

_MIN_DRIFT = 0.01
"""Smallest change of a distribution to report."""


def table_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the tables that differ, with rows and drift, and the counts of the split."""
    for table in TABLES:
        yield from _table(table, before, after)
    first, second = (side.settings(nodes.WINDOWS, settings.stats) for side in (before, after))
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield count_change(name.replace(".", " "), first.get(name), second.get(name))


def _table(table: str, before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    gen, statistics = nodes.gen(table), nodes.statistics(table)
    present = [gen in side.nodes for side in (before, after)]
    if not all(present):
        if any(present):
            words = {True: "present", False: "absent"}
            yield change(table, words[present[0]], words[present[1]], weight=2)
        return
    first, second = (fingerprints.content_sha256(side.nodes[gen]) for side in (before, after))
    if first == second:
        return
    yield change(f"{table}, sha256", first[:16], second[:16], weight=1)
    rows = [_row_count(side.output(gen, "examples")) for side in (before, after)]
    if rows[0] != rows[1]:
        yield count_change(f"{table}, rows", *rows)
    earlier, later = (_statistics(side.output(statistics, "statistics")) for side in (before, after))
    if earlier is None or later is None:
        yield Change(f"{table}, drift", None, None, "unknown: the statistics of one run are missing")
        return
    for found in drift.drifts(table, earlier, later):
        if found.distance >= _MIN_DRIFT:
            yield Change(f"{table}, feature {found.feature!r}", 0.0, found.distance, found.description, found.distance)


def _statistics(artifact: Artifact | None) -> Any | None:
    return drift.read(artifact.uri) if artifact else None


def _row_count(examples: Artifact | None) -> int | None:
    table = TableRecord.of(examples)
    return table.rows if table else None


def schema_changes(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    """Yields the features that differ between the schemas of tables that both sides have."""
    for table in TABLES:
        node = nodes.schema(table)
        if node not in before.nodes or node not in after.nodes:
            continue
        first, second = (fingerprints.schema_sha256(side.nodes[node]) for side in (before, after))
        if first == second:
            continue
        paths = [pathlib.Path(str(side.property(node, "schema_file"))) for side in (before, after)]
        earlier, later = (schemas.features(path) for path in paths)
        if earlier is None or later is None:
            yield change(f"{table}, schema", first, second)
            continue
        yield from setting_changes(earlier, later, f"{table}, feature ")
