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
    strict = tuning.tune(variable, exact, k=10, max_exclusions=40, min_recall=0.99)
    lax = tuning.tune(variable, exact, k=10, max_exclusions=40, min_recall=0.5)
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


def test_queries_searched_exactly_do_not_count_against_scann():
    candidates, queries = _clusters(100, 20)
    excluded = [np.arange(50, dtype=np.int32)] * 20
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, k=10, max_exclusions=5, min_recall=0.99)
    assert tuned.recall == 1.0


def test_several_searchers_reach_the_recall_with_the_parameters_of_one():
    candidates, queries = _clusters(2_000, 60)
    excluded = [np.arange(row, row + 20, dtype=np.int32) for row in range(60)]
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, 10, 40, 0.99, num_searchers=3)
    assert tuned.index.params.num_leaves == 26  # The root of 666.
    found = tuned.index.approximate(queries, retrieval.pad(excluded), 10)[1].numpy()
    assert exact.recall(found).mean() == pytest.approx(tuned.recall, abs=0.005)
    assert tuned.recall >= 0.99
