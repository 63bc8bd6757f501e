import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator import rank_metrics

RANKS = [1, 3, 3, 10, 11, 500]


def test_histogram_counts_ranks_and_lumps_the_tail():
    assert rank_metrics.histogram(np.array(RANKS), 10).tolist() == [1, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2]


def test_histogram_of_nothing():
    counts = rank_metrics.histogram(np.array([]), 3)
    assert counts.tolist() == [0, 0, 0, 0]
    assert math.isnan(rank_metrics.top_k_accuracy(counts, 3))
    assert math.isnan(rank_metrics.ndcg(counts, 3))


def test_rows_without_a_rank_are_left_out():
    counts = rank_metrics.histogram(np.array([1, rank_metrics.NOT_RANKED, 3, rank_metrics.NO_HIT]), 3)
    assert counts.tolist() == [1, 0, 1, 1]


def test_a_target_without_a_score_is_a_hit_at_no_k():
    # 50 candidates exist and K is 100.
    assert rank_metrics.top_k_accuracy(rank_metrics.histogram(np.array([50, rank_metrics.NO_HIT]), 100), 100) == 0.5


def test_negative_rank_is_refused():
    with pytest.raises(ValueError, match="expected ranks from 1 on, or 0, got -1"):
        rank_metrics.histogram(np.array([1, -1]), 10)


def test_by_hand():
    counts = rank_metrics.histogram(np.array(RANKS), 10)
    assert rank_metrics.top_k_accuracy(counts, 1) == 1 / 6
    assert rank_metrics.top_k_accuracy(counts, 3) == 3 / 6
    assert rank_metrics.top_k_accuracy(counts, 10) == 4 / 6
    # 1 / log2(2) + 2 / log2(4) + 1 / log2(11), over six rows.
    assert rank_metrics.ndcg(counts, 10) == pytest.approx((1 + 1 + 1 / math.log2(11)) / 6)


def test_a_narrow_histogram_is_refused():
    with pytest.raises(ValueError, match="k=11 needs a histogram of width 11 or more, got 10"):
        rank_metrics.top_k_accuracy(rank_metrics.histogram(np.array(RANKS), 10), 11)


def test_lift_is_of_hits():
    eleven = rank_metrics.histogram(np.array([1] * 11 + [9] * 89), 5)
    ten = rank_metrics.histogram(np.array([1] * 10 + [9] * 90), 5)
    none = rank_metrics.histogram(np.array([9] * 100), 5)
    assert rank_metrics.lift(eleven, ten, 5) >= 1.1
    assert rank_metrics.lift(eleven, none, 5) == 11
    assert rank_metrics.lift(none, none, 5) == 0


@given(st.lists(st.integers(1, 200), min_size=1), st.integers(1, 100))
def test_equals_the_mean_over_rows(ranks, k):
    counts = rank_metrics.histogram(np.array(ranks), 100)
    assert rank_metrics.top_k_accuracy(counts, k) == pytest.approx(np.mean([rank <= k for rank in ranks]))
    gains = [1 / math.log2(rank + 1) if rank <= k else 0 for rank in ranks]
    assert rank_metrics.ndcg(counts, k) == pytest.approx(np.mean(gains))
