"""The published protocol on the real MovieLens 100K; skipped where it was not fetched."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from components.windows import stats, windowing
from components.windows.windows_config import WindowsConfig
from shortlist import splits
from shortlist.config.gate import Check
from shortlist.config.split import LeaveLastOut, Random, WindowsSection
from tests.components.windows import flat

Queries = dict[bytes, list[splits.Interaction]]


@pytest.fixture(scope="module")
def queries() -> Queries:
    found = collections.defaultdict(list)
    for query_id, row in flat.movielens_100k():
        found[query_id].append(row)
    return {query_id: splits.sort_rows(rows) for query_id, rows in found.items()}


def test_leave_last_out_has_one_test_row_a_user_and_the_known_share_of_ties(queries: Queries):
    config = WindowsConfig(
        split=LeaveLastOut(),
        windows=WindowsSection(max_history=100, max_targets=100),
        max_interactions_per_query=10_000,
        unknown_candidates=Check(threshold=0.0),
        tied_targets=Check(threshold=1.0),
        isolated_times=Check(threshold=0.0),
        has_timestamps=True,
    )
    counts: collections.Counter[str] = collections.Counter()
    for rows in queries.values():
        counts.update(stats.count_query(rows, splits.assign_splits(rows, config.split)))
    summary = stats.summarize(counts, config)
    assert summary["rows"] == {"train": 100_000 - 2 * 943, "eval": 943, "test": 943}
    assert summary["tied_targets"] == pytest.approx(0.44, abs=0.005)


def test_random_splits_the_hundred_thousand_rows_exactly(queries: Queries):
    cuts = splits.random_cuts((row for rows in queries.values() for row in rows), 42)
    names = collections.Counter(
        name for rows in queries.values() for name in splits.assign_splits(rows, Random(seed=42), cuts)
    )
    assert names == {"train": 72_000, "eval": 8_000, "test": 20_000}


def test_popularity_of_train_targets_has_the_published_scores(queries: Queries):
    sizes = WindowsSection(max_history=100, max_targets=100)
    windows = [windowing.windows_of(rows, LeaveLastOut(), sizes) for rows in queries.values()]
    popularity = collections.Counter(
        row.candidate_id for found in windows for window in found["train"] for row in window.targets
    )
    candidate_ids = sorted({row.candidate_id for rows in queries.values() for row in rows})
    row_of = {candidate_id: row for row, candidate_id in enumerate(candidate_ids)}
    scores = np.array([popularity[candidate_id] for candidate_id in candidate_ids])
    assert len(candidate_ids) == 1682

    ranks = []
    for found in windows:
        (window,) = found["test"]
        target = row_of[window.targets[0].candidate_id]
        others = np.ones(len(candidate_ids), bool)
        others[[row_of[candidate_id] for candidate_id in window.seen_ids]] = False
        others[target] = False
        ranks.append(1 + np.sum(scores[others] >= scores[target]))
    # "Popularity on train alone 0.084 / 0.315": most popular, seen excluded, ties against the target.
    assert np.mean(np.array(ranks) <= 10) == pytest.approx(0.084, abs=0.0005)
    assert np.mean(np.array(ranks) <= 100) == pytest.approx(0.315, abs=0.0005)
