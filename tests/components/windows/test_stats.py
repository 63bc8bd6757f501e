from __future__ import annotations

import collections

import pytest

from components.windows import splits, stats, windowing
from components.windows.contract import WindowsConfig, split_fingerprint
from shortlist.config import types

GOOD = {
    stats.INTERACTIONS_READ: 100,
    stats.INTERACTIONS_KEPT: 100,
    stats.CANDIDATES: 9,
    stats.QUERIES: 5,
    "rows/train": 90,
    "rows/test": 5,
}


def make_config(split: types.Split, has_timestamps: bool = True) -> WindowsConfig:
    return WindowsConfig(
        split=split,
        windows=types.WindowsSection(max_history=10, max_targets=10),
        max_interactions_per_query=100,
        max_unknown_fraction=0.05,
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
        names = splits.assign(rows, config.split)
        total.update(stats.count_query(rows, names))
        for window in windowing.iter_windows(rows, names, config.split, config.windows):
            total.update(stats.count_window(window))
    total[stats.INTERACTIONS_READ] += total[stats.INTERACTIONS_KEPT]
    return total


def test_stats_of_leave_last_out():
    config = make_config(types.LeaveLastOut())
    log = {
        "abc": "123",  # test c: neither tied nor a repeat
        "abca": "1244",  # test a: tied with c, and a repeat
        "abd": "133",  # test d: tied with b
        "de": "12",  # train only
    }
    counts = count(log, config)
    counts[stats.INTERACTIONS_READ] += 7  # 3 unknown, hence 4 above the cap
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
        "over_max_interactions_per_query": 4,
        "query_without_interactions": 0,
    }
    assert summary["tied_targets"] == pytest.approx(2 / 3)
    assert summary["repeat_targets"] == pytest.approx(1 / 3)
    assert summary["unseen_queries"] == 0.0


def test_temporal_counts_the_rows_of_unseen_queries():
    config = make_config(types.Temporal(eval_from=3, test_from=5))
    # Test rows: b of the first query; both rows of the second and the last of the third, which have no train row.
    summary = stats.summarize(count({"ab": "15", "cd": "67", "ef": "36"}, config), config)
    assert summary["rows"] == {"train": 1, "eval": 1, "test": 4}
    assert summary["unseen_queries"] == pytest.approx(3 / 4)


def test_without_timestamps_nothing_is_tied():
    log = {"abc": "000"}
    assert stats.summarize(count(log, make_config(types.LeaveLastOut())), make_config(types.LeaveLastOut()))[
        "tied_targets"
    ]
    untimed = make_config(types.LeaveLastOut(), has_timestamps=False)
    assert stats.summarize(count(log, untimed), untimed)["tied_targets"] == 0.0


@pytest.mark.parametrize(
    ("changes", "split", "expected"),
    [
        ({}, types.LeaveLastOut(), None),
        ({stats.UNKNOWN_CANDIDATE: 5}, types.LeaveLastOut(), None),  # 5% is the limit, not above it
        ({stats.UNKNOWN_CANDIDATE: 6}, types.LeaveLastOut(), "6 of 100 rows (6.0%)"),
        ({stats.INTERACTIONS_READ: 0}, types.LeaveLastOut(), "expected rows, got none"),
        ({stats.CANDIDATES: 0}, types.LeaveLastOut(), "expected a catalogue"),
        ({stats.QUERIES: 1}, types.LeaveLastOut(), "at least 2 distinct query ids, got 1"),
        ({"rows/test": 0}, types.LeaveLastOut(), "none of the 100 rows into test; it needs queries with at least 3"),
        ({"rows/test": 0}, types.LeaveLastBasket(), "at least 2 distinct timestamps"),
        ({"rows/train": 0}, types.Temporal(eval_from=1, test_from=2), "into train; move data.split.eval_from"),
        ({"rows/test": 0}, types.Random(), "at least 5 interactions"),
    ],
)
def test_refusals(changes: dict[str, int], split: types.Split, expected: str | None):
    refused = stats.refusal({**GOOD, **changes}, {}, ["x", "y"], make_config(split))
    if expected is None:
        assert refused is None
    else:
        assert refused is not None
        assert expected in refused


def test_problems_with_single_rows_come_first():
    refused = stats.refusal(
        {**GOOD, stats.QUERIES: 1}, {"duplicate": ["row 1", "row 2"]}, [], make_config(types.Random())
    )
    assert refused == "row 1; row 2"


def test_fingerprint_follows_the_content_only_where_the_split_does():
    assert split_fingerprint(types.LeaveLastOut(), "a") == split_fingerprint(types.LeaveLastOut(), "b")
    assert split_fingerprint(types.LeaveLastOut(), "a") != split_fingerprint(types.LeaveLastBasket(), "a")
    assert split_fingerprint(types.Random(), "a") != split_fingerprint(types.Random(), "b")
    assert split_fingerprint(types.Random(seed=1), "a") != split_fingerprint(types.Random(seed=2), "a")
    early, late = (types.Temporal(eval_from=1, test_from=test_from) for test_from in (2, 3))
    assert split_fingerprint(early, "a") != split_fingerprint(late, "a")
