from __future__ import annotations

import numpy as np
import pytest

from shortlist.metrics import bootstrap


def test_a_contender_against_itself_differs_by_nothing():
    ranks = np.array([1, 5, 20, 3])
    assert bootstrap.difference_of_top_k([ranks], [ranks], np.arange(4), 10) == (0.0, 0.0, 0.0)


def test_a_target_at_place_k_is_in_the_list():
    for ours, theirs, gain in ((10, 11, 1.0), (11, 10, -1.0), (10, 10, 0.0)):
        assert bootstrap.difference_of_top_k([np.array([ours])], [np.array([theirs])], np.arange(1), 10).mean == gain


def test_seeds_count_by_their_mean():
    # Ours hit rows 0 and 1 in one seed and row 0 in the other: 3/4 of two rows; theirs hit row 1 alone: 1/2.
    found = bootstrap.difference_of_top_k(
        [np.array([1, 1]), np.array([1, 99])], [np.array([99, 1])], np.array([0, 1]), 10
    )
    assert found.mean == pytest.approx(0.25)
    # Each row alone: +1 and -1/2.
    assert (found.low, found.high) == (-0.5, 1.0)


def test_the_interval_is_that_of_the_normal_approximation_for_independent_rows():
    generator = np.random.default_rng(7)
    ours, theirs = (np.where(generator.random(4_000) < share, 1, 99) for share in (0.3, 0.2))
    found = bootstrap.difference_of_top_k([ours], [theirs], np.arange(4_000), 10)
    gain = (ours == 1).astype(float) - (theirs == 1)
    error = 1.96 * gain.std() / np.sqrt(4_000)
    assert found.high - found.mean == pytest.approx(error, rel=0.1)
    assert found.mean - found.low == pytest.approx(error, rel=0.1)


def test_rows_of_one_query_are_drawn_together():
    # 100 queries with 20 equal rows each say as much as 100 rows, not 2,000.
    gains = np.where(np.random.default_rng(3).random(100) < 0.5, 1, 99)
    none = np.full(100, 99)
    alone = bootstrap.difference_of_top_k([gains], [none], np.arange(100), 10)
    together = bootstrap.difference_of_top_k([gains.repeat(20)], [none.repeat(20)], np.arange(100).repeat(20), 10)
    assert together == pytest.approx(alone)


def test_a_draw_is_a_share_of_the_rows_that_it_drew():
    # A query of three rows that are won and one of a row that is not: a draw has one of them twice, or each.
    won, lost = np.array([1, 1, 1, 99]), np.full(4, 99)
    found = bootstrap.difference_of_top_k([won], [lost], np.array([0, 0, 0, 1]), 10)
    assert found == (0.75, 0.0, 1.0)


def test_large_data_is_drawn_less_often_and_often_enough(monkeypatch):
    drawn = []
    quantile = np.quantile
    monkeypatch.setattr(np, "quantile", lambda draws, at: drawn.append(len(draws)) or quantile(draws, at))
    monkeypatch.setattr(bootstrap, "_MAX_DRAWS", 20_000)
    ranks = np.ones(100, np.int64)
    for queries, samples in ((1, bootstrap.SAMPLES), (25, 800), (100, bootstrap.LEAST_SAMPLES)):
        bootstrap.difference_of_top_k([ranks], [ranks], np.arange(100) % queries, 10)
        assert drawn.pop() == samples


def test_rows_without_a_rank_are_refused():
    # A rank of 0 would be a hit at every K.
    with pytest.raises(ValueError, match="leave out targets that were seen before"):
        bootstrap.difference_of_top_k([np.array([1, 0])], [np.array([1, 2])], np.arange(2), 10)
