"""Checks of the Windows node's counts: errors stop the run, warnings are reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components.windows import cuts, stats
from components.windows.times import IsolatedTimes
from components.windows.windows_config import WindowsConfig
from shortlist import keys
from shortlist.config.split import SPANS_NEED_TIMES, LeaveLastOut, Split, Temporal
from shortlist.findings import Findings


class GraphSummary(NamedTuple):
    """Counts and problems of the Beam graph.

    Attributes:
      counts: Sums, by name.
      problems: Sentences on single rows by kind, the first few per kind.
      unknown_ids: Some of the candidate ids that the catalogue lacks.
      isolated: Times far from all others; None if there are none.
      latest_time: Time of the latest target with split temporal; None with other splits.
    """

    counts: Mapping[str, int]
    problems: Mapping[str, Sequence[str]]
    unknown_ids: Sequence[str]
    isolated: IsolatedTimes | None
    latest_time: int | None = None

    @classmethod
    def from_json(cls, text: str) -> GraphSummary:
        """Parses the text of the graph's summary file."""
        value = json.loads(text)
        isolated = value["isolated"]
        return cls(
            value["counts"],
            value["problems"],
            value["unknown_ids"],
            isolated and IsolatedTimes.from_json(isolated),
            value["latest_time"],
        )


def check(summary: GraphSummary, config: WindowsConfig, timestamp_unit: str = "") -> Findings:
    """Returns the errors that forbid to train on this data, and the warnings about it.

    Args:
      summary: Counts and problems of the Beam graph.
      config: The split, and the gate's thresholds.
      timestamp_unit: The unit of the log's timestamps; with `order` they are plain numbers, not seconds.
    """
    counts = summary.counts
    problem = _data_problem(summary)
    if problem:
        return Findings(errors=[problem])
    findings = Findings()
    _check_spans(summary, config, timestamp_unit, findings)
    _check_unknown(summary, config, findings)
    _check_isolated(summary, config, timestamp_unit, findings)
    _check_tied(counts, config, findings)
    # An empty split often follows from the errors above; a second sentence would point at the wrong cause.
    if not config.everything_is_train and not findings.errors:
        findings.errors += _split_problems(counts, config.split)
    return findings


def _data_problem(summary: GraphSummary) -> str | None:
    for sentences in summary.problems.values():
        return "; ".join(sentences)
    if not summary.counts.get(stats.INTERACTIONS_READ):
        return "interactions: expected rows, got none; check data.interactions.path and its filter"
    if not summary.counts.get(stats.CANDIDATES):
        return "candidates: expected a catalogue, got no rows; check data.candidates.path and its filter"
    return None


def _check_unknown(summary: GraphSummary, config: WindowsConfig, findings: Findings) -> None:
    # Up to the threshold, `split_known` drops these rows without a message; `stats` has their number.
    unknown, read = summary.counts.get(stats.UNKNOWN_CANDIDATE, 0), summary.counts[stats.INTERACTIONS_READ]
    limit = config.unknown_candidates
    if unknown / read > limit.threshold:
        examples = ", ".join(repr(candidate_id) for candidate_id in summary.unknown_ids)
        findings.add(
            limit.action,
            f"interactions: {unknown} of {read} rows ({unknown / read:.1%}) have a candidate id that is not in the "
            f"catalogue (for example {examples}), above data.gate.unknown_candidates.threshold={limit.threshold}; "
            "add these candidates to the catalogue, or raise the limit",
        )


def _check_spans(summary: GraphSummary, config: WindowsConfig, unit: str, findings: Findings) -> None:
    split = config.split
    if not isinstance(split, Temporal) or not split.moves or config.everything_is_train:
        return
    if unit == cuts.ORDER:
        findings.errors.append(f"data.split.{SPANS_NEED_TIMES}")
    elif summary.latest_time is None:
        findings.errors.append("interactions: expected rows of positive weight, got none; check their weight")
    else:
        found = cuts.check_latest(split, summary.latest_time, summary.isolated, config.isolated_times.action)
        findings.errors += found.errors
        findings.warnings += found.warnings


def _check_isolated(summary: GraphSummary, config: WindowsConfig, unit: str, findings: Findings) -> None:
    isolated, limit = summary.isolated, config.isolated_times
    num_rows = summary.counts.get(stats.INTERACTIONS_KEPT, 0)
    if isolated is None or isolated.number / num_rows <= limit.threshold:
        return

    example = isolated.example
    findings.add(
        limit.action,
        f"{example.source_path.decode(errors='replace')} data row {example.source_row} (counted from 0): expected a "
        f"time near the others (99.8% are from {cuts.text(isolated.middle_from, unit)} to "
        f"{cuts.text(isolated.middle_to, unit)}), got {cuts.text(example.timestamp, unit)}; {isolated.number} "
        f"of {num_rows} rows ({isolated.number / num_rows:.2g}) are this far from the others, above "
        f"data.gate.isolated_times.threshold={limit.threshold}; correct these rows, remove them with "
        "data.interactions.filter, or raise the limit",
    )


def _check_tied(counts: Mapping[str, int], config: WindowsConfig, findings: Findings) -> None:
    # Baskets are ties by nature, and a random split claims no order.
    if not isinstance(config.split, LeaveLastOut | Temporal):
        return
    share, limit = stats.tied_targets(counts, config), config.tied_targets
    if share > limit.threshold:
        findings.add(
            limit.action,
            f"interactions: {share:.0%} of the test targets share their time with another interaction of the same "
            f"query, above data.gate.tied_targets.threshold={limit.threshold}: only the file's order decides which "
            "one is the last; use a finer timestamp, set data.split.kind: leave_last_basket, or raise the limit",
        )


def _split_problems(counts: Mapping[str, int], split: Split) -> list[str]:
    """Returns at most one sentence, on a split without rows."""
    if counts.get(stats.QUERIES, 0) < 2:
        return [
            f"interactions: expected at least 2 distinct query ids, got {counts.get(stats.QUERIES, 0)}; "
            "check data.interactions.query_id"
        ]
    remedy = {
        "leave_last_out": "it needs queries with at least 3 interactions",
        "leave_last_basket": "it needs queries with at least 2 distinct timestamps",
        "temporal": "set data.split.eval_from and data.split.test_from to times that the data covers",
        "random": "it needs at least 5 interactions",
    }[split.kind]
    if isinstance(split, Temporal) and split.moves:
        remedy = "the log is shorter than data.split.eval_spans and test_spans; take fewer or shorter spans"
    # Eval may be empty: with leave_last_basket, a query with two baskets has test rows but no eval rows.
    for name in (keys.SPLIT_TRAIN, keys.SPLIT_TEST):
        if not counts.get(f"rows/{name}"):
            rows = counts.get(stats.INTERACTIONS_KEPT, 0)
            return [f"interactions: split {split.kind} puts none of the {rows} rows into {name}; {remedy}"]
    return []
