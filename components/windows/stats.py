"""What is counted while windows are made, and the counts that refuse the data.

Counts travel as additive (name, number) pairs, since each runner sums those
exactly, whereas Beam's own counters may count a retried bundle twice.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from components.windows import splits, windowing
from components.windows.contract import SPLITS, WindowsConfig
from shortlist import keys
from shortlist.config import types

INTERACTIONS_READ = "interactions_read"
INTERACTIONS_KEPT = "interactions_kept"
CANDIDATES = "candidates"
QUERIES = "queries_total"
QUERIES_WITHOUT_FEATURES = "queries_without_features"
UNKNOWN_CANDIDATE = "unknown_candidate"
OVER_MAX_INTERACTIONS = "over_max_interactions_per_query"
QUERY_WITHOUT_INTERACTIONS = "query_without_interactions"
_TIED = "tied_test_targets"
_REPEATED = "repeated_test_targets"
_UNSEEN = "test_rows_of_unseen_queries"


def count_query(rows: Sequence[splits.Interaction], names: Sequence[str]) -> collections.Counter[str]:
    """Returns what one query adds to the counts, apart from its windows.

    Args:
      rows: All of the query's kept interactions, ordered.
      names: The split of each row.
    """
    counts = collections.Counter({QUERIES: 1, INTERACTIONS_KEPT: len(rows)})
    in_split = collections.Counter(names)
    for name, number in in_split.items():
        counts[f"rows/{name}"] += number
        counts[f"queries/{name}"] += 1
    at_time = collections.Counter(row.timestamp for row in rows)
    test_times = [row.timestamp for row, name in zip(rows, names, strict=True) if name == keys.SPLIT_TEST]
    counts[_TIED] += sum(at_time[time] > 1 for time in test_times)
    if keys.SPLIT_TRAIN not in in_split:
        counts[_UNSEEN] += in_split[keys.SPLIT_TEST]
    return counts


def count_window(window: windowing.Window) -> collections.Counter[str]:
    """Returns what one window adds to the counts."""
    counts = collections.Counter({f"windows/{window.split}": 1})
    if window.split == keys.SPLIT_TEST:
        counts[_REPEATED] += window.targets[0].candidate_id in window.seen_ids
    return counts


def summarize(counts: Mapping[str, int], config: WindowsConfig) -> dict[str, Any]:
    """Returns the `stats` of the windows artifact; shares are of the test rows, 0 where there are none."""

    def by_split(what: str) -> dict[str, int]:
        return {split: counts.get(f"{what}/{split}", 0) for split in SPLITS}

    test_rows = max(counts.get(f"rows/{keys.SPLIT_TEST}", 0), 1)
    known = counts.get(INTERACTIONS_READ, 0) - counts.get(UNKNOWN_CANDIDATE, 0)
    return {
        "rows": by_split("rows"),
        "windows": by_split("windows"),
        "queries": by_split("queries"),
        "interactions": counts.get(INTERACTIONS_KEPT, 0),
        "queries_total": counts.get(QUERIES, 0),
        "queries_without_features": counts.get(QUERIES_WITHOUT_FEATURES, 0),
        "candidates": counts.get(CANDIDATES, 0),
        "dropped": {
            UNKNOWN_CANDIDATE: counts.get(UNKNOWN_CANDIDATE, 0),
            OVER_MAX_INTERACTIONS: known - counts.get(INTERACTIONS_KEPT, 0),
            QUERY_WITHOUT_INTERACTIONS: counts.get(QUERY_WITHOUT_INTERACTIONS, 0),
        },
        "tied_targets": counts.get(_TIED, 0) / test_rows if config.has_timestamps else 0.0,
        "repeat_targets": counts.get(_REPEATED, 0) / test_rows,
        "unseen_queries": counts.get(_UNSEEN, 0) / test_rows,
    }


def refusal(
    counts: Mapping[str, int], problems: Mapping[str, Sequence[str]], unknown_ids: Sequence[str], config: WindowsConfig
) -> str | None:
    """Returns why no model may be trained on this data, or None.

    Args:
      counts: Sums of what was counted.
      problems: Sentences on single rows by kind, the first few of each kind.
      unknown_ids: Some of the candidate ids that the catalogue lacks.
      config: The limits.
    """
    for sentences in problems.values():
        return "; ".join(sentences)
    if not counts.get(INTERACTIONS_READ):
        return "interactions: expected rows, got none; check data.interactions.path and its filter"
    if not counts.get(CANDIDATES):
        return "candidates: expected a catalogue, got no rows; check data.candidates.path"
    unknown = counts.get(UNKNOWN_CANDIDATE, 0)
    share = unknown / counts[INTERACTIONS_READ]
    if share > config.max_unknown_fraction:
        shown = ", ".join(repr(candidate_id) for candidate_id in unknown_ids)
        return (
            f"interactions: {unknown} of {counts[INTERACTIONS_READ]} rows ({share:.1%}) name a candidate that the "
            f"catalogue lacks (for example {shown}), above "
            f"data.gate.unknown_candidates.threshold={config.max_unknown_fraction}; "
            "add these candidates or raise the limit"
        )
    if counts.get(QUERIES, 0) < 2:
        return (
            f"interactions: expected at least 2 distinct query ids, got {counts.get(QUERIES, 0)}; "
            "check data.interactions.query_id"
        )
    return _unusable_split(counts, config.split)


def _unusable_split(counts: Mapping[str, int], split: types.Split) -> str | None:
    remedy = {
        "leave_last_out": "it needs queries with at least 3 interactions",
        "leave_last_basket": "it needs queries with at least 2 distinct timestamps",
        "temporal": "move data.split.eval_from and data.split.test_from into the time that the data covers",
        "random": "it needs at least 5 interactions",
    }[split.kind]
    for name in (keys.SPLIT_TRAIN, keys.SPLIT_TEST):
        if not counts.get(f"rows/{name}"):
            rows = counts.get(INTERACTIONS_KEPT, 0)
            return f"interactions: split {split.kind} puts none of the {rows} rows into {name}; {remedy}"
    return None
