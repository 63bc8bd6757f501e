"""Changes between two runs, the most important first."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shortlist.lineage import drift, fingerprints, schemas, settings
from shortlist.lineage.compared import RunOrVersion
from shortlist.lineage.facts.wording import YES_OR_NO
from shortlist.lineage.measurements import Measurements
from shortlist.lineage.settings import flat
from shortlist.lineage.store import Artifact, Execution
from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error
from shortlist.records import nodes, properties
from shortlist.records.artifacts import TableRecord, json_object
from shortlist.records.nodes import TABLES

NOISE = 2.0
"""Number of standard errors above which a difference is not noise."""

_SHARE = re.compile(r"(?:factorized_top_k|popularity)/top_(\d+)_categorical_accuracy(_with_seen)?")
_WITH_SEEN = "_with_seen"
_MIN_DRIFT = 0.01
"""Smallest change of a distribution to report."""


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference between two runs."""

    name: str
    before: object
    after: object
    description: str
    """Before and after as text."""
    weight: float = 0.0
    """Importance within the section; 0 if unknown."""


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
        "metrics": _metrics,
        "slices": _slices,
        "data": _data,
        "schema": _schema,
        "hyperparameters": _hyperparameters,
        "config": _config,
        "code": _code,
        "index": _index,
        "time and memory": _time,
    }
    sections = []
    for name, maker in makers.items():
        changes = sorted(maker(before, after), key=lambda change: -change.weight)
        sections.append(DiffSection(name, changes, _notes(name, before, after)))
    return Diff(before, after, sections)


def _notes(section: str, before: RunOrVersion, after: RunOrVersion) -> list[str]:
    if section not in ("metrics", "slices"):
        return []
    without = [side.name for side in (before, after) if side.measurements is None]
    if without:
        return [f"no evaluation of {' and '.join(without)}, hence no metrics"]
    first, second = (fingerprints.test_rows(side.nodes) for side in (before, after))
    if first is None or second is None:
        return ["it is unknown whether both were tested on the same rows"]
    if first == second:
        return ["tested on the same rows: the difference has less noise than the standard errors here"]
    return ["tested on different rows: the data or the split changed"]


def _measurements(side: RunOrVersion) -> Measurements:
    return side.measurements or Measurements({}, {}, None, [])


def _outcome(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = before.verdict, after.verdict
    if first.outcome is not second.outcome:
        suffix = "".join(f": {reason}" for reason in second.reasons[:1])
        yield _change("status", first.outcome.value, second.outcome.value, suffix=suffix)
    elif first.node != second.node:
        yield _change("ended at", first.node, second.node)


def _metrics(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = _measurements(before), _measurements(after)
    yield from _metric_changes(first.overall, second.overall)
    yield from _metric_changes(first.popularity, second.popularity, "most popular, ")


def _metric_changes(before: Mapping[str, float], after: Mapping[str, float], prefix: str = "") -> Iterator[Change]:
    """Yields the metrics that differ; a hit rate is given with its standard error and the change in standard errors."""
    for name in before.keys() & after.keys():
        rows = [_rows(values, name) for values in (before, after)]
        first, second = before[name], after[name]
        if first == second:
            continue
        shown = prefix + name.replace("factorized_top_k/", "")
        if not _SHARE.fullmatch(name) or not all(rows):
            # Only hit rates are proportions of test rows, with a known standard error.
            yield Change(shown, first, second, f"{first:.4g} to {second:.4g}", _relative(first, second) / 100)
            continue
        errors = [standard_error(value, count) for value, count in zip((first, second), rows, strict=True)]
        num_errors = abs(second - first) / (math.hypot(*errors) or math.inf)
        description = (
            f"{first:.4f} ±{errors[0]:.4f} to {second:.4f} ±{errors[1]:.4f}: {second - first:+.4f}, "
            f"{num_errors:.1f} standard errors"
        )
        if num_errors < NOISE:
            description += ", within noise"
        # The model's own metrics without seen items come first.
        is_secondary = bool(prefix) or name.endswith(_WITH_SEEN)
        yield Change(shown, first, second, description, num_errors / 100 if is_secondary else num_errors)


def _rows(metrics: Mapping[str, float], name: str) -> float:
    return names.rows_of(metrics, with_seen=name.endswith(_WITH_SEEN))


def _slices(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = _by_slice(before), _by_slice(after)
    for name in first.keys() & second.keys():
        for change in _metric_changes(first[name], second[name], f"{name}: "):
            if not change.name.endswith(_WITH_SEEN):
                yield change


def _by_slice(side: RunOrVersion) -> dict[str, dict[str, float]]:
    return {f"{item.name} {item.value}": item.metrics for item in _measurements(side).slices}


def _data(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    for table in TABLES:
        yield from _table(table, before, after)
    first, second = (_node_settings(side, nodes.WINDOWS, settings.stats) for side in (before, after))
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            yield _count_change(name.replace(".", " "), first.get(name), second.get(name))


def _table(table: str, before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    gen, statistics = nodes.gen(table), nodes.statistics(table)
    present = [gen in side.nodes for side in (before, after)]
    if not all(present):
        if any(present):
            words = {True: "present", False: "absent"}
            yield _change(table, words[present[0]], words[present[1]], weight=2)
        return
    first, second = (fingerprints.content_sha256(side.nodes[gen]) for side in (before, after))
    if first == second:
        return
    yield _change(f"{table}, sha256", first[:16], second[:16], weight=1)
    rows = [_row_count(side.output(gen, "examples")) for side in (before, after)]
    if rows[0] != rows[1]:
        yield _count_change(f"{table}, rows", *rows)
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


def _schema(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
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
            yield _change(f"{table}, schema", first, second)
            continue
        yield from _settings(earlier, later, f"{table}, feature ")


def _hyperparameters(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = (_node_settings(side, nodes.TRAINER, settings.hyperparameters) for side in (before, after))
    if first and second:
        yield from _settings(first, second)


def _node_settings(side: RunOrVersion, node: str, read: Callable[[Execution], dict[str, Any]]) -> dict[str, Any]:
    """Returns a node's settings by dotted name; empty if the node did not run."""
    execution = side.nodes.get(node)
    return flat(read(execution)) if execution else {}


def _config(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    common = before.nodes.keys() & after.nodes.keys()
    first, second = (_settings_of(side, common) for side in (before, after))
    yield from _settings(first, second)


def _settings_of(side: RunOrVersion, present: set[str]) -> dict[str, Any]:
    """Returns the settings of nodes that ML Metadata has, by their names in a config."""
    found: dict[str, Any] = {}
    if nodes.WINDOWS in present:
        found |= flat(side.json(nodes.WINDOWS, properties.CONFIG), "data.")
    if nodes.DATA_GATE in present:
        found |= flat(side.json(nodes.DATA_GATE, properties.GATE), "data.gate.")
    for table in TABLES:
        if nodes.gen(table) in present:
            found |= _table_settings(table, side)
    for node, table in ((nodes.TRANSFORM, "queries"), (nodes.CANDIDATE_TRANSFORM, "candidates")):
        if node in present:
            features = side.json(node, properties.CUSTOM_CONFIG).get("features") or {}
            found |= flat(features, f"data.{table}.features.")
    if nodes.EVALUATOR in present:
        found |= dict(_gates(side.json(nodes.EVALUATOR, properties.EVAL_CONFIG)))
        found |= flat(side.json(nodes.EVALUATOR, properties.COLD_START), "evaluate.cold_start.")
    if nodes.INDEXER in present:
        found |= flat(side.json(nodes.INDEXER, properties.CONFIG), "index.")
    return found


def _table_settings(table: str, side: RunOrVersion) -> dict[str, Any]:
    node = nodes.gen(table)
    spec = dict(side.json(node, properties.TABLE))
    columns = spec.pop("columns", [])
    found = flat(spec, f"data.{table}.")
    if not isinstance(columns, list):
        columns = []
    for column in columns:
        found |= flat({key: value for key, value in column.items() if key != "key"}, f"{column.get('key')}.")
    found[f"data.{table}.path"] = side.property(node, properties.DATA_PATH)
    return found


def _gates(eval_config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the Evaluator's thresholds by metric."""
    for spec in eval_config.get("metrics_specs", []):
        for metric in spec.get("metrics", []):
            name = json_object(metric.get("config")).get("name", metric.get("class_name"))
            for gate in metric.get("per_slice_thresholds", []):
                for key, value in flat(gate.get("threshold", {})).items():
                    yield f"evaluate, {name}, {key}", value


def _settings(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield _change(f"{prefix}{name}", before.get(name), after.get(name))


def _code(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    for node in sorted(before.nodes.keys() & after.nodes.keys()):
        first, second = (fingerprints.code_sha256(side.nodes[node]) for side in (before, after))
        if first and second and first != second:
            yield _change(node, first[:12], second[:12])


def _index(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    first, second = (_node_settings(side, nodes.INDEXER, settings.index) for side in (before, after))
    if bool(first) != bool(second):
        yield _change("index", *(found.get("kind", "none was built") for found in (first, second)))
        return
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            # Recall is the index's only gated figure, so it comes first.
            yield _change(name, first.get(name), second.get(name), weight=float(name == "recall_at_k"))


def _time(before: RunOrVersion, after: RunOrVersion) -> Iterator[Change]:
    if before.summary and after.summary:
        first, second = before.summary, after.summary
        yield from _cost_change("whole run", first.seconds.total, second.seconds.total, "s")
        yield from _cost_change("peak memory", first.peak_rss_mb, second.peak_rss_mb, "MB")
    for node in before.nodes.keys() & after.nodes.keys():
        executions = [side.nodes[node] for side in (before, after)]
        # A cached node has no time to compare.
        if all(execution.state == "COMPLETE" for execution in executions) and executions[0].id != executions[1].id:
            yield from _cost_change(node, executions[0].seconds, executions[1].seconds, "s")


_MIN_DIFFERENCE = 1.0
_MIN_RELATIVE = 0.1


def _cost_change(name: str, before: float, after: float, unit: str) -> Iterator[Change]:
    if abs(after - before) >= _MIN_DIFFERENCE and _relative(before, after) >= _MIN_RELATIVE:
        description = f"{before:,.0f} {unit} to {after:,.0f} {unit}{_percent(before, after)}"
        yield Change(name, before, after, description, abs(after - before))


def _count_change(name: str, before: object, after: object) -> Change:
    numbers = [value for value in (before, after) if isinstance(value, int | float)]
    if len(numbers) < 2:
        return _change(name, before, after)
    first, second = numbers
    is_whole = all(float(value).is_integer() for value in numbers)
    form = ",.0f" if is_whole else ".4g"
    description = f"{first:{form}} to {second:{form}}{_percent(first, second)}"
    return Change(name, first, second, description, min(_relative(first, second), 1.0))


def _percent(before: float, after: float) -> str:
    if not before:
        return ""
    return f" ({(after - before) / before:+.1%})"


def _relative(before: float, after: float) -> float:
    return abs(after - before) / (abs(before) or abs(after) or 1.0)


def _change(name: str, before: object, after: object, suffix: str = "", weight: float = 0.0) -> Change:
    return Change(name, before, after, f"{_shown(before)} to {_shown(after)}{suffix}", weight)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return YES_OR_NO[value]
    return "nothing" if value in (None, "", [], {}) else str(value)
