from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.quality import evaluate, exchange
from components.evaluator import ranks


def rows(*pairs):
    query, candidate = zip(*pairs, strict=True) if pairs else ((), ())
    return exchange.Rows(np.array(query, np.int32), np.array(candidate, np.int32), np.arange(len(pairs)))


def test_ties_count_against_the_target_and_seen_candidates_do_not():
    scores = np.array([[5, 3, 3, 9, 3]], np.float32)
    # Target 1 at 3: 5 and 9 are greater, two others equal: rank 5. With 3 and 4 seen: rank 3.
    assert list(evaluate.target_ranks(scores, np.array([0]), np.array([1]), [np.array([], int)])) == [5]
    assert list(evaluate.target_ranks(scores, np.array([0]), np.array([1]), [np.array([3, 4])])) == [3]


def test_a_target_that_was_seen_before_has_no_rank():
    scores = np.array([[1, 2, np.nan]], np.float32)
    found = evaluate.target_ranks(scores, np.array([0, 0]), np.array([0, 2]), [np.array([0, 1, 2])])
    assert list(found) == [ranks.NOT_RANKED, ranks.NOT_RANKED]


def test_scores_that_are_not_finite():
    scores = np.array([[np.nan, 1, np.inf, -np.inf]], np.float32)
    nothing = [np.array([], int)]
    # The other three count as greater than 1; a target without a score is a hit at no K.
    assert list(evaluate.target_ranks(scores, np.array([0, 0]), np.array([1, 0]), nothing)) == [4, ranks.NO_HIT]


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_the_products_ranks_on_random_data_with_ties(seed):
    generator = np.random.default_rng(seed)
    num_queries, corpus, width = 40, 60, 3
    # Small whole numbers: many equal scores, and products that are exact.
    queries = generator.integers(-2, 3, (num_queries, width)).astype(np.float32)
    candidates = generator.integers(-2, 3, (corpus, width)).astype(np.float32)
    candidates[3, 0] = np.nan
    targets = generator.integers(corpus, size=num_queries)
    seen = [generator.choice(corpus, size=generator.integers(10), replace=False) for _ in range(num_queries)]
    padded = np.full((num_queries, 10), -1)
    for row, found in enumerate(seen):
        padded[row, : len(found)] = found
    expected, _ = ranks.target_ranks(tf.constant(queries), tf.constant(candidates), targets, padded, tile=16)
    found = evaluate.target_ranks(queries @ candidates.T, np.arange(num_queries), targets, seen)
    assert list(found) == list(expected.numpy())


def test_a_splits_rows_are_ranked_by_their_query_behind_their_history():
    # Query 0 has no eval row; query 2 has two test rows. Test sees train and eval.
    split = exchange.Split(
        3,
        4,
        train=rows((0, 0), (1, 1), (2, 2)),
        eval=rows((1, 0), (2, 3)),
        test=rows((1, 2), (2, 0), (2, 1)),
    )
    scores = np.array([[4, 3, 2, 1], [4, 3, 2, 9]], np.float32)  # queries 1 and 2
    # Query 1: 2 behind 0 and 1, both seen: 1. Query 2: 3 is seen (eval); 0 is first, 1 second.
    assert list(evaluate.split_ranks(scores, split, "test")) == [1, 1, 2]
    # Eval: query 1's target 0 is first. Query 2's 3 is first, 2 is seen.
    assert list(evaluate.split_ranks(scores, split, "eval")) == [1, 1]
    with pytest.raises(ValueError, match=r"expected scores of shape \(2, 4\)"):
        evaluate.split_ranks(scores[:1], split, "test")


def test_metrics_by_hand():
    # Ranks 1, 2, 11, 101. NDCG@10: (1 + 1/log2(3)) / 4.
    found = evaluate.metrics(np.array([1, 2, 11, 101]))
    assert found == {
        "top_1": 0.25,
        "top_10": 0.5,
        "top_100": 0.75,
        "ndcg_10": pytest.approx((1 + 1 / np.log2(3)) / 4),
    }
