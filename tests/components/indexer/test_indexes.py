"""ExactIndex and ScannIndex compared with the definition, in memory."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import retrieval
from components.indexer.exact import ExactIndex
from components.indexer.scann_index import ScannIndex, ScannParams


def _corpus(size: int, dim: int = 8) -> tf.Variable:
    return tf.Variable(np.random.default_rng(size).normal(size=(size, dim)).astype(np.float32))


def _queries(count: int, dim: int = 8) -> np.ndarray:
    return np.random.default_rng(99).normal(size=(count, dim)).astype(np.float32)


def _expected(queries, corpus, excluded, k) -> list[list[int]]:
    scores = queries @ corpus.numpy().T
    return [
        [row for row in np.argsort(-line, kind="stable").tolist() if row not in set(hidden)][:k]
        for line, hidden in zip(scores, excluded, strict=True)
    ]


def _scann(corpus: tf.Variable, k: int, max_exclusions: int = 20, leaves_to_search: int | None = None) -> ScannIndex:
    size = int(corpus.shape[0])
    leaves = max(2, round(size**0.5))
    params = ScannParams(leaves, leaves_to_search or leaves, 2, size)
    return ScannIndex(params, k, max_exclusions).index(corpus)


def _found(index, queries, excluded, k) -> list[list[int]]:
    width = max(map(len, excluded), default=0)
    padded = tf.constant([[*line, *[-1] * (width - len(line))] for line in excluded], tf.int32, [len(excluded), width])
    scores, rows = index.query_with_exclusions(tf.constant(queries), padded, k)
    assert scores.shape == rows.shape == (len(queries), k)
    assert (np.diff(scores.numpy(), axis=1) <= 0).all()
    np.testing.assert_array_equal(scores.numpy() == retrieval.LOWEST, rows.numpy() == -1)
    return [line[line >= 0].tolist() for line in rows.numpy()]


@pytest.mark.parametrize("size", [1, 2, 15, 16, 100])
@pytest.mark.parametrize("k", [1, 10, 120])
@pytest.mark.parametrize("most_fetched", [512, 0])
def test_exact_index_is_exact(size, k, most_fetched, monkeypatch):
    monkeypatch.setattr(retrieval, "_MOST_FETCHED", most_fetched)
    corpus, queries = _corpus(size), _queries(5)
    excluded = [[], [0], list(range(size)), [0, 0, -1], [size - 1]]
    assert _found(ExactIndex(k=k).index(corpus), queries, excluded, k) == _expected(queries, corpus, excluded, k)


def test_exact_index_shares_the_models_variable():
    corpus = _corpus(5)
    index = ExactIndex(k=2).index(corpus)
    before = index.call(tf.constant(_queries(1)))[1]
    corpus.assign(-corpus)
    after = index.call(tf.constant(_queries(1)))[1]
    assert before.numpy().tolist() != after.numpy().tolist()


@pytest.mark.parametrize("size", [16, 17, 100, 1_682])
def test_scann_that_searches_all_leaves_is_exact(size):
    corpus, queries = _corpus(size), _queries(6)
    k = 10
    excluded = [[], [0, 3], [2] * 4, list(range(min(size, 30))), [size - 1, -1], list(range(size))]
    index = _scann(corpus, k)
    assert _found(index, queries, excluded, k) == _expected(queries, corpus, excluded, k)


def test_scann_that_finds_too_few_is_completed_by_exact_search():
    corpus, queries = _corpus(200), _queries(8)
    index = _scann(corpus, k=150, leaves_to_search=1)
    assert (index.call(tf.constant(queries), 150)[1].numpy() == -1).any(), "one leaf has no 150 candidates"
    excluded = [[row] for row in range(8)]
    assert _found(index, queries, excluded, 150) == _expected(queries, corpus, excluded, 150)


def test_an_answer_does_not_depend_on_the_other_queries_of_its_batch():
    # Batches of one size: ScaNN assigns queries to leaves by another algorithm from some batch size on.
    corpus, queries = _corpus(400), _queries(8)
    index = _scann(corpus, k=5, max_exclusions=3, leaves_to_search=4)
    excluded = [[1], [2, 3], list(range(50)), []]
    found = _found(index, queries[:4], excluded, 5)
    for row in range(4):
        others, their_excluded = queries[4:].copy(), [list(range(100, 140)), [], [7], list(range(3))]
        others[row], their_excluded[row] = queries[row], excluded[row]
        assert _found(index, others, their_excluded, 5)[row] == found[row]


@pytest.mark.parametrize("searchers", [2, 3])
def test_several_searchers_give_one_answer(searchers):
    # 100 candidates in two parts of 50, or in parts of 33, 33 and 34. Each searcher returns its whole part.
    corpus, queries = _corpus(100), _queries(6)
    params = ScannParams(num_leaves=4, leaves_to_search=4, dimensions_per_block=2, reorder=100 // searchers + 1)
    index = ScannIndex(params, 30, 20, searchers).index(corpus)
    assert len(index.searcher_state) == searchers
    excluded = [[], [0, 3], [2] * 4, list(range(30)), [99, -1], list(range(100))]
    assert _found(index, queries, excluded, 30) == _expected(queries, corpus, excluded, 30)
    # With one leaf each, the searchers find different numbers of candidates.
    few = index.with_params(ScannParams(4, 1, 2, 30))
    for found, hidden in zip(_found(few, queries, excluded, 30), excluded, strict=True):
        assert len(found) == len(set(found)) == min(30, 100 - len(set(hidden) - {-1}))
        assert not set(found).intersection(hidden)


def test_random_exclusions_never_come_back():
    generator = np.random.default_rng(5)
    corpus = _corpus(60)
    index = _scann(corpus, k=20, max_exclusions=25, leaves_to_search=3)
    for _ in range(20):
        queries = generator.normal(size=(7, 8)).astype(np.float32)
        excluded = [generator.integers(-1, 60, size=generator.integers(0, 90)).tolist() for _ in range(7)]
        for found, hidden in zip(_found(index, queries, excluded, 20), excluded, strict=True):
            left = 60 - len(set(hidden) - {-1})
            assert len(found) == len(set(found)) == min(20, left)
            assert not set(found).intersection(hidden)


def test_equal_candidates_come_in_the_order_of_the_corpus():
    vectors = np.repeat(np.random.default_rng(1).normal(size=(4, 33)), 9, axis=0).astype(np.float32)
    corpus = tf.Variable(vectors)
    for batch in (1, 2, 3, 8):
        queries = np.random.default_rng(2).normal(size=(batch, 33)).astype(np.float32)
        for index in (ExactIndex(k=36).index(corpus), _scann(corpus, k=36)):
            for found in _found(index, queries, [[]] * batch, 36):
                groups = [found[start : start + 9] for start in range(0, 36, 9)]
                assert all(group == sorted(group) for group in groups), type(index).__name__


@pytest.mark.parametrize(
    ("size", "params", "message"),
    [
        (15, ScannParams(3, 3, 2, 15), "16 candidates or more per searcher, got 15"),
        (100, ScannParams(1, 1, 2, 100), "num_leaves must be 2 to 100, got 1"),
        (100, ScannParams(101, 1, 2, 100), "num_leaves must be 2 to 100, got 101"),
        (100, ScannParams(10, 11, 2, 100), "leaves_to_search must be 1 to 10, got 11"),
        (100, ScannParams(10, 10, 2, 9), "reorder=9 is less than k=10"),
    ],
)
def test_parameters_that_scann_answers_wrongly_with_are_refused(size, params, message):
    with pytest.raises(ValueError, match=message):
        ScannIndex(params, k=10, max_exclusions=20).index(_corpus(size))
