from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import retrieval, tuning
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannParams


def test_cost_adds_up():
    # 10 centres of 8 multiplications; 100 * 2/10 = 20 candidates of 8/2 = 4 look-ups, a quarter each; 50 rescored of 8
    # dimensions, 25 each.
    params = ScannParams(num_leaves=10, leaves_to_search=2, dimensions_per_block=2, reorder=50)
    assert tuning.cost(params, corpus_size=100, embedding_dim=8) == 10 * 8 + 20 * 4 * 0.25 + 50 * 8 * 25


@pytest.mark.parametrize("wanted", [1, 2, 7, 40, 99, 100])
def test_bisection_finds_the_smallest_sufficient_number(wanted):
    asked = []
    assert tuning._bisect(1, 100, lambda number: asked.append(number) or number >= wanted) == wanted
    assert len(asked) == len(set(asked)) <= 10


def test_the_margin_counts_both_samples():
    # Mean 0.99, standard deviation 0.01.
    recall = np.array([1.0, 0.98] * 50)
    # 3 * 0.01 * sqrt(1/100 + 1/100) = 0.00424.
    assert tuning.Margin(0.9857, 100, 100).is_exceeded(recall)
    assert not tuning.Margin(0.9858, 100, 100).is_exceeded(recall)
    # 3 * 0.01 * sqrt(1/100 + 1/10,000) = 0.00302.
    assert tuning.Margin(0.9869, 100, 10_000).is_exceeded(recall)
    assert not tuning.Margin(0.9870, 100, 10_000).is_exceeded(recall)


@pytest.mark.parametrize(("num_queries", "num_gate_queries", "most"), [(100, 100, 0.02), (500, 943, 0.01)])
def test_the_gate_rejects_few_tuned_indexes_by_chance(num_queries, num_gate_queries, most):
    # 30 sizes of an index with a recall from 0.985 to 0.9995. One query in ten has all misses: the recall of queries is
    # as skewed as it was on real vectors, with a standard deviation of 0.03 at 0.99.
    generator = np.random.default_rng(0)
    misses = 10 * (0.015 - 0.0005 * np.arange(30))
    rejected = 0
    for _ in range(500):
        worse = generator.random((num_queries + num_gate_queries, 1)) < 0.1
        recall = 1.0 - worse * misses * generator.uniform(0.5, 1.5, size=worse.shape)
        margin = tuning.Margin(0.99, num_queries, num_gate_queries)
        enough = [margin.is_exceeded(recall[:num_queries, size]) for size in range(30)]
        chosen = enough.index(True) if any(enough) else 29
        rejected += recall[num_queries:, chosen].mean() < 0.99
    assert rejected / 500 <= most


def _clusters(size: int, num_queries: int, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(20, dim)) * 3
    points = centres[generator.integers(20, size=size + num_queries)] + generator.normal(size=(size + num_queries, dim))
    return points[:size].astype(np.float32), points[size:].astype(np.float32)


def test_a_lower_bar_gives_a_cheaper_index_that_still_clears_it():
    candidates, queries = _clusters(2_000, 100)
    excluded = [np.arange(row, row + 20, dtype=np.int32) for row in range(100)]
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    variable = tf.Variable(candidates)
    strict = tuning.tune(variable, exact, k=10, max_exclusions=40, min_recall=0.99, num_gate_queries=100)
    lax = tuning.tune(variable, exact, k=10, max_exclusions=40, min_recall=0.5, num_gate_queries=100)
    assert strict.recall >= 0.99
    assert lax.recall >= 0.5
    assert tuning.cost(lax.index.params, 2_000, 16) < tuning.cost(strict.index.params, 2_000, 16)
    for tuned, least in ((strict, 0.99), (lax, 0.5)):
        # No trial with fewer leaves suffices, and the index searches as the trial did.
        cheaper = [it for it in tuned.trials if it.params.leaves_to_search < tuned.index.params.leaves_to_search]
        costs = [tuning.cost(it.params, 2_000, 16) for it in cheaper if it.is_sufficient]
        assert all(cost >= tuning.cost(tuned.index.params, 2_000, 16) for cost in costs)
        found = tuned.index.approximate(queries, retrieval.pad(excluded), 10)[1].numpy()
        assert abs(exact.recall(found).mean() - tuned.recall) < 0.005
        assert tuned.recall >= least


def test_deeper_searches_have_the_recall_of_an_answer():
    candidates, queries = _clusters(2_000, 100)
    nothing = [np.zeros(0, np.int32)] * 100
    exact = ExactAnswers.find(queries, candidates, nothing, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, 10, 40, min_recall=0.95, num_gate_queries=100)
    index = tuned.index
    assert list(index.deep_params) == list(tuning.DEPTHS)

    def recall(params, depth):
        rows, is_candidate, _ = index.fetch(queries, retrieval.pad(nothing), params.leaves_to_search, params.reorder)
        deep = ExactAnswers.find(queries, candidates, nothing, round(10 * depth))
        return deep.recall(np.where(is_candidate, rows, -1)).mean()

    for depth, params in index.deep_params.items():
        assert recall(params, depth) >= 0.95
    # Deeper results are in more leaves.
    assert index.deep_params[10.0].leaves_to_search > index.params.leaves_to_search


def test_queries_searched_exactly_do_not_count_against_scann():
    candidates, queries = _clusters(100, 20)
    excluded = [np.arange(50, dtype=np.int32)] * 20
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, k=10, max_exclusions=5, min_recall=0.99, num_gate_queries=100)
    assert tuned.recall == 1.0


def test_several_searchers_reach_the_recall_with_the_parameters_of_one():
    candidates, queries = _clusters(2_000, 60)
    excluded = [np.arange(row, row + 20, dtype=np.int32) for row in range(60)]
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, 10, 40, 0.99, num_gate_queries=100, num_searchers=3)
    assert tuned.index.params.num_leaves == 26  # The root of 666.
    found = tuned.index.approximate(queries, retrieval.pad(excluded), 10)[1].numpy()
    assert exact.recall(found).mean() == pytest.approx(tuned.recall, abs=0.005)
    assert tuned.recall >= 0.99
