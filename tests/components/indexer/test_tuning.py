from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import tuning
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannParams


@pytest.mark.parametrize("size", [16, 17, 100, 1_682, 1_000_000])
def test_grid_avoids_parameters_that_scann_gets_wrong(size):
    grid = tuning.grid(size, embedding_dim=64, k=100, max_exclusions=1024)
    assert all(2 <= params.num_leaves <= size for params in grid)
    assert all(1 <= params.leaves_to_search <= params.num_leaves for params in grid)
    assert all(min(size, 1_124) <= params.reorder <= size for params in grid)
    assert len({(params.num_leaves, params.dimensions_per_block) for params in grid}) == 1, "one training serves all"
    costs = [tuning.cost(params, size, 64) for params in grid]
    assert costs == sorted(costs)


def test_cost_adds_up():
    # 10 centres + 50 rescored, 8 multiplications each; 100 * 2/10 = 20 candidates of 8/2 = 4 look-ups, a quarter each.
    params = ScannParams(num_leaves=10, leaves_to_search=2, dimensions_per_block=2, reorder=50)
    assert tuning.cost(params, corpus_size=100, embedding_dim=8) == (10 + 50) * 8 + 20 * 4 * 0.25


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


def test_queries_searched_exactly_do_not_count_against_scann():
    candidates, queries = _clusters(100, 20)
    excluded = [np.arange(50, dtype=np.int32)] * 20
    exact = ExactAnswers.find(queries, candidates, excluded, 10)
    tuned = tuning.tune(tf.Variable(candidates), exact, k=10, max_exclusions=5, min_recall=0.99)
    assert tuned.recall == 1.0
