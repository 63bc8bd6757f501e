"""Counts of the Windows node, and the `stats` that are derived from them.

The graph sums (name, number) pairs. Beam's own counters are not used, since they
may count a retried bundle twice.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from components.windows import cuts, windowing
from components.windows.windows_config import SPLITS, WindowsConfig
from shortlist import keys, splits

INTERACTIONS_READ = "interactions_read"
INTERACTIONS_KEPT = "interactions_kept"
CANDIDATES = "candidates"
QUERIES = "queries_total"
QUERIES_WITHOUT_FEATURES = "queries_without_features"
UNKNOWN_CANDIDATE = "unknown_candidate"
DISTINCT = "not_repeated"
REPEAT = "repeat"
OVER_MAX_INTERACTIONS = "over_max_interactions_per_query"
QUERY_WITHOUT_INTERACTIONS = "query_without_interactions"
TIED = "tied_test_targets"
_REPEATED = "repeated_test_targets"
_UNSEEN = "test_rows_of_unseen_queries"


def count_query(rows: Sequence[splits.Interaction], names: Sequence[str]) -> collections.Counter[str]:
    """Returns the counts of one query, apart from those of its windows.

    Args:
      rows: All of the query's interactions after `max_interactions_per_query`, ordered.
      names: The split of each row. Rows that are not targets count as kept interactions, but in no split.
    """
    counts = collections.Counter({QUERIES: 1, INTERACTIONS_KEPT: len(rows)})
    in_split = collections.Counter(name for row, name in zip(rows, names, strict=True) if row.is_target)
    for name, number in in_split.items():
        counts[f"rows/{name}"] += number
        counts[f"queries/{name}"] += 1
    # Ties matter: 44% of MovieLens 100K's last timestamps are shared, and the order of ties moves EASE's top 10
    # from 0.149 to 0.091.
    at_time = collections.Counter(row.time for row in rows)
    counts[TIED] += sum(
        at_time[row.time] > 1
        for row, name in zip(rows, names, strict=True)
        if row.is_target and name == keys.SPLIT_TEST
    )
    if keys.SPLIT_TRAIN not in in_split:
        counts[_UNSEEN] += in_split[keys.SPLIT_TEST]
    return counts


def count_window(window: windowing.Window) -> collections.Counter[str]:
    """Returns the counts of one window."""
    counts = collections.Counter({f"windows/{window.split}": 1})
    if window.split == keys.SPLIT_TEST:
        counts[_REPEATED] += window.targets[0].candidate_id in window.seen_ids
    return counts


def tied_targets(counts: Mapping[str, int], config: WindowsConfig) -> float:
    """Returns the share of test targets with the time of another interaction of their query; 0 without times."""
    if not config.has_timestamps:
        return 0.0
    return counts.get(TIED, 0) / _test_rows(counts)


def repeat_targets(counts: Mapping[str, int]) -> float:
    """Returns the fraction of test targets that their query had seen before."""
    return counts.get(_REPEATED, 0) / _test_rows(counts)


def summarize(counts: Mapping[str, int], config: WindowsConfig, latest_time: int | None = None) -> dict[str, Any]:
    """Returns the `stats` of the windows artifact; shares are shares of the test rows, 0 if there are none.

    Args:
      counts: Sums of the graph, by name.
      config: The part of the config that decides the windows.
      latest_time: Time of the latest target with split temporal.
    """

    def by_split(name: str) -> dict[str, int]:
        return {split: counts.get(f"{name}/{split}", 0) for split in SPLITS}

    test_rows = _test_rows(counts)
    known = counts.get(INTERACTIONS_READ, 0) - counts.get(UNKNOWN_CANDIDATE, 0)
    distinct = counts.get(DISTINCT, 0)
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
            REPEAT: known - distinct,
            OVER_MAX_INTERACTIONS: distinct - counts.get(INTERACTIONS_KEPT, 0),
            QUERY_WITHOUT_INTERACTIONS: counts.get(QUERY_WITHOUT_INTERACTIONS, 0),
        },
        "tied_targets": tied_targets(counts, config),
        "repeat_targets": repeat_targets(counts),
        "unseen_queries": counts.get(_UNSEEN, 0) / test_rows,
        "cuts": cuts.describe(config.split, latest_time),
    }


def _test_rows(counts: Mapping[str, int]) -> int:
    """Returns the number of test rows, at least 1, so that it can be a divisor."""
    return max(counts.get(f"rows/{keys.SPLIT_TEST}", 0), 1)
