from __future__ import annotations

import collections

import pytest

from components.windows import stats, windowing
from components.windows.windows_config import WindowsConfig
from shortlist import splits
from shortlist.config.gate import Check
from shortlist.config.split import LeaveLastOut, Split, Temporal, WindowsSection


def make_config(split: Split, has_timestamps: bool = True) -> WindowsConfig:
    return WindowsConfig(
        split=split,
        windows=WindowsSection(max_history=10, max_targets=10),
        max_interactions_per_query=100,
        unknown_candidates=Check(threshold=0.05),
        tied_targets=Check(threshold=1.0),
        isolated_times=Check(threshold=0.0),
        has_timestamps=has_timestamps,
    )


def count(log: dict[str, str], config: WindowsConfig) -> collections.Counter[str]:
    """Counts the queries of {"candidates, one letter each": "times, one digit each"}."""
    total: collections.Counter[str] = collections.Counter()
    for candidates, times in log.items():
        rows = [
            splits.Interaction(int(time), 0, b"log.csv", row, name.encode())
            for row, (name, time) in enumerate(zip(candidates, times, strict=True))
        ]
        names = splits.assign_splits(rows, config.split)
        total.update(stats.count_query(rows, names))
        for window in windowing.iter_windows(rows, names, config.split, config.windows):
            total.update(stats.count_window(window))
    total[stats.INTERACTIONS_READ] += total[stats.INTERACTIONS_KEPT]
    return total


def test_stats_of_leave_last_out():
    config = make_config(LeaveLastOut())
    log = {
        "abc": "123",  # test c: neither tied nor a repeat
        "abca": "1244",  # test a: tied with c, and a repeat
        "abd": "133",  # test d: tied with b
        "de": "12",  # train only
    }
    counts = count(log, config)
    counts[stats.INTERACTIONS_READ] += 7  # 3 unknown, hence 4 known, of which 1 is a repeat and 3 are above the cap
    counts[stats.DISTINCT] += counts[stats.INTERACTIONS_KEPT] + 3
    counts[stats.UNKNOWN_CANDIDATE] += 3
    counts[stats.CANDIDATES] += 6
    summary = stats.summarize(counts, config)
    assert summary["rows"] == {"train": 1 + 2 + 1 + 2, "eval": 3, "test": 3}
    assert summary["windows"] == {"train": 4, "eval": 3, "test": 3}
    assert summary["queries"] == {"train": 4, "eval": 3, "test": 3}
    assert summary["interactions"] == 12
    assert summary["queries_total"] == 4
    assert summary["candidates"] == 6
    assert summary["dropped"] == {
        "unknown_candidate": 3,
        "repeat": 1,
        "over_max_interactions_per_query": 3,
        "query_without_interactions": 0,
    }
    assert summary["tied_targets"] == pytest.approx(2 / 3)
    assert summary["repeat_targets"] == pytest.approx(1 / 3)
    assert summary["unseen_queries"] == 0.0


def test_temporal_counts_the_rows_of_unseen_queries():
    config = make_config(Temporal(eval_from=3, test_from=5))
    # Test rows: b of the first query; both rows of the second and the last of the third, which have no train row.
    summary = stats.summarize(count({"ab": "15", "cd": "67", "ef": "36"}, config), config)
    assert summary["rows"] == {"train": 1, "eval": 1, "test": 4}
    assert summary["unseen_queries"] == pytest.approx(3 / 4)


def test_without_timestamps_nothing_is_tied():
    log = {"abc": "000"}
    assert stats.summarize(count(log, make_config(LeaveLastOut())), make_config(LeaveLastOut()))["tied_targets"]
    untimed = make_config(LeaveLastOut(), has_timestamps=False)
    assert stats.summarize(count(log, untimed), untimed)["tied_targets"] == 0.0


def test_rows_of_weight_0_are_kept_and_in_no_split():
    config = make_config(LeaveLastOut())
    weights = [1.0, 0.0, 1.0, 1.0, 0.0]
    rows = [splits.Interaction(row, 0, b"log.csv", row, b"c", weight) for row, weight in enumerate(weights)]
    counts = stats.count_query(rows, splits.assign_splits(rows, config.split))
    summary = stats.summarize(counts, config)
    assert summary["rows"] == {"train": 1, "eval": 1, "test": 1}
    assert summary["interactions"] == 5


def test_a_tie_is_the_same_nanosecond():
    config = make_config(LeaveLastOut())
    for nanos, tied in (([0, 1, 2], 0.0), ([0, 1, 1], 1.0)):
        rows = [splits.Interaction(7, nano, b"log.csv", row, b"c") for row, nano in enumerate(nanos)]
        assert stats.tied_targets(stats.count_query(rows, splits.assign_splits(rows, config.split)), config) == tied
