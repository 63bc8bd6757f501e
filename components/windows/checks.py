"""Whether a model may be trained on what was counted, and what to tell people about it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from components.windows import stats
from components.windows.times import Isolated
from components.windows.windows_config import WindowsConfig
from shortlist import keys
from shortlist.config.split import LeaveLastOut, Split, Temporal
from shortlist.findings import Findings

_ORDER = "order"


class Counted(NamedTuple):
    """What the Beam graph found.

    Attributes:
      counts: Sums, by name.
      problems: Sentences on single rows by kind, the first few of each kind.
      unknown_ids: Some of the candidate ids that the catalogue lacks.
      isolated: Times far from all others, None where there are none.
    """

    counts: Mapping[str, int]
    problems: Mapping[str, Sequence[str]]
    unknown_ids: Sequence[str]
    isolated: Isolated | None

    @classmethod
    def from_json(cls, text: str) -> Counted:
        """Reads the graph's summary file."""
        read = json.loads(text)
        isolated = read["isolated"]
        return cls(
            read["counts"], read["problems"], read["unknown_ids"], Isolated.from_json(isolated) if isolated else None
        )


def check(counted: Counted, config: WindowsConfig, timestamp_unit: str = "") -> Findings:
    """Returns why no model may be trained on this data, if so, and what else people should know.

    Args:
      counted: What the graph found.
      config: The split, and the gate's thresholds.
      timestamp_unit: As found or told; with `order`, timestamps are no seconds.
    """
    counts = counted.counts
    unusable = _no_data(counted)
    if unusable:
        return Findings(errors=[unusable])
    findings = Findings()
    _check_unknown(counted, config, findings)
    _check_isolated(counted, config, timestamp_unit, findings)
    _check_tied(counts, config, findings)
    unusable = None if config.everything_is_train else _no_split(counts, config.split)
    if unusable and not findings.errors:
        findings.errors.append(unusable)
    return findings


def _no_data(counted: Counted) -> str | None:
    for sentences in counted.problems.values():
        return "; ".join(sentences)
    if not counted.counts.get(stats.INTERACTIONS_READ):
        return "interactions: expected rows, got none; check data.interactions.path and its filter"
    if not counted.counts.get(stats.CANDIDATES):
        return "candidates: expected a catalogue, got no rows; check data.candidates.path and its filter"
    return None


def _check_unknown(counted: Counted, config: WindowsConfig, findings: Findings) -> None:
    unknown, read = counted.counts.get(stats.UNKNOWN_CANDIDATE, 0), counted.counts[stats.INTERACTIONS_READ]
    limit = config.unknown_candidates
    if unknown / read > limit.threshold:
        shown = ", ".join(repr(candidate_id) for candidate_id in counted.unknown_ids)
        findings.add(
            limit.action,
            f"interactions: {unknown} of {read} rows ({unknown / read:.1%}) name a candidate that the catalogue lacks "
            f"(for example {shown}), above data.gate.unknown_candidates.threshold={limit.threshold}; "
            "add these candidates or raise the limit",
        )


def _check_isolated(counted: Counted, config: WindowsConfig, unit: str, findings: Findings) -> None:
    isolated, limit = counted.isolated, config.isolated_times
    kept = counted.counts.get(stats.INTERACTIONS_KEPT, 0)
    if isolated is None or isolated.number / kept <= limit.threshold:
        return

    def told(timestamp: int) -> str:
        return str(timestamp) if unit == _ORDER else _date(timestamp)

    example = isolated.example
    findings.add(
        limit.action,
        f"{example.source_path.decode(errors='replace')} data row {example.source_row} (counted from 0): expected a "
        f"time near the others, 99.8% of which are from {told(isolated.middle_from)} to {told(isolated.middle_to)}, "
        f"got {told(example.timestamp)}; {isolated.number} of {kept} rows ({isolated.number / kept:.2g}) are so, above "
        f"data.gate.isolated_times.threshold={limit.threshold}; correct these rows, leave them out by "
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
            f"query, above data.gate.tied_targets.threshold={limit.threshold}: only the file's order says which is "
            "the later one; take a finer time, use data.split.kind: leave_last_basket, or raise the limit",
        )


def _no_split(counts: Mapping[str, int], split: Split) -> str | None:
    if counts.get(stats.QUERIES, 0) < 2:
        return (
            f"interactions: expected at least 2 distinct query ids, got {counts.get(stats.QUERIES, 0)}; "
            "check data.interactions.query_id"
        )
    remedy = {
        "leave_last_out": "it needs queries with at least 3 interactions",
        "leave_last_basket": "it needs queries with at least 2 distinct timestamps",
        "temporal": "move data.split.eval_from and data.split.test_from into the time that the data covers",
        "random": "it needs at least 5 interactions",
    }[split.kind]
    for name in (keys.SPLIT_TRAIN, keys.SPLIT_TEST):
        if not counts.get(f"rows/{name}"):
            rows = counts.get(stats.INTERACTIONS_KEPT, 0)
            return f"interactions: split {split.kind} puts none of the {rows} rows into {name}; {remedy}"
    return None


def _date(seconds: int) -> str:
    """Returns the UTC time, or the number itself where it is none that a calendar has."""
    try:
        return f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
