"""Changes between two runs, the most important first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from shortlist.lineage import fingerprints
from shortlist.lineage.compared import RunOrVersion
from shortlist.lineage.diff import data, metrics, settings
from shortlist.lineage.diff.changes import Change, change, cost_changes
from shortlist.lineage.settings import index
from shortlist.records import nodes

_MEASURED = ("metrics", "slices")


@dataclasses.dataclass(frozen=True)
class DiffSection:
    """All changes of one kind, the most important first."""

    name: str
    changes: list[Change]
    notes: list[str] = dataclasses.field(default_factory=list)
    """Notes that help to read the changes."""


@dataclasses.dataclass(frozen=True)
class Diff:
    """Comparison of two runs: sections with their results, then sections with possible causes."""

    before: RunOrVersion
    after: RunOrVersion
    sections: list[DiffSection]

    @property
    def same(self) -> list[str]:
        """Names of the sections in which nothing changed."""
        return [section.name for section in self.sections if not section.changes]


def diff(before: RunOrVersion, after: RunOrVersion) -> Diff:
    """Returns all sections of the comparison, including those without a change."""
    makers: dict[str, Callable[[RunOrVersion, RunOrVersion], Iterator[Change]]] = {
        "outcome": _outcome,
        "metrics": metrics.overall_changes,
        "slices": metrics.slice_changes,
        "data": data.table_changes,
        "schema": data.schema_changes,
        "hyperparameters": settings.hyperparameter_changes,
        "config": settings.config_changes,
        "code": _code,
        "index": _index,
        "time and memory": _time,
    }
    sections = []
    for name, maker in makers.items():
        changes = sorted(maker(before, after), key=lambda found: -found.weight)
        notes = metrics.notes(before, after) if name in _MEASURED else []
        sections.append(DiffSection(name, changes, notes))
    return Diff(before, after, sections)


def _outcome(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = before.verdict, after.verdict
    if first.outcome is not second.outcome:
        suffix = "".join(f": {reason}" for reason in second.reasons[:1])
        yield change("status", first.outcome.value, second.outcome.value, suffix=suffix)
    elif first.node != second.node:
        yield change("ended at", first.node, second.node)


def _code(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    for node in sorted(before.nodes.keys() & after.nodes.keys()):
        first, second = (fingerprints.code_sha256(side.nodes[node]) for side in (before, after))
        if first and second and first != second:
            yield change(node, first[:12], second[:12])


def _index(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = (side.settings(nodes.INDEXER, index) for side in (before, after))
    if bool(first) != bool(second):
        yield change("index", *(found.get("kind", "none was built") for found in (first, second)))
        return
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            # Recall is the index's only gated figure, so it comes first.
            yield change(name, first.get(name), second.get(name), weight=float(name == "recall_at_k"))


def _time(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    if before.summary and after.summary:
        first, second = before.summary, after.summary
        yield from cost_changes("whole run", first.seconds.total, second.seconds.total, "s")
        yield from cost_changes("peak memory", first.peak_rss_mb, second.peak_rss_mb, "MB")
    for node in before.nodes.keys() & after.nodes.keys():
        executions = [side.nodes[node] for side in (before, after)]
        # A cached node has no time to compare.
        if all(execution.state == "COMPLETE" for execution in executions) and executions[0].id != executions[1].id:
            yield from cost_changes(node, executions[0].seconds, executions[1].seconds, "s")
