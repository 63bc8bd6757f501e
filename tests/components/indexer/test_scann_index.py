"""ScaNN and exact search compared with NumPy, before and after a model is saved and loaded."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_recommenders.layers import factorized_top_k

from components.indexer import searcher as searchers
from components.indexer.exact import ExactIndex
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannIndex, ScannParams

LOWEST = np.finfo(np.float32).min
NOTHING = np.zeros([8, 0], np.int32)


def corpus(size, dim=8):
    generator = np.random.default_rng(size)
    centres = generator.normal(size=(12, dim))
    embeddings = centres[generator.integers(12, size=size)] + 0.5 * generator.normal(size=(size, dim))
    return embeddings.astype(np.float32), generator.normal(size=(8, dim)).astype(np.float32)


def everywhere(size, num_leaves=3):
    return ScannParams(num_leaves, leaves_to_search=num_leaves, dimensions_per_block=2, reorder=size)


class Searcher(tf.Module):
    """A saved index: its state and one signature."""

    def __init__(self, index, candidates, k):
        super().__init__()
        self.candidates = candidates
        self.state = index.searcher_state

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, candidates.shape[1]], tf.float32),
                tf.TensorSpec([None, None], tf.int32),
            ]
        )
        def search(queries, exclusions):
            return index.query_with_exclusions(queries, exclusions, k)

        self.search = search


def numpy_answer(queries, candidates, exclusions, k):
    scores = queries @ candidates.T
    for line, rows in zip(scores, exclusions, strict=True):
        line[rows[rows >= 0]] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("size", [16, 17, 100, 1682])
def test_scann_agrees_with_exact_search_before_and_after_saving(size, tmp_path):
    embeddings, queries = corpus(size)
    k = min(100, size)
    exclusions = np.random.default_rng(1).integers(-1, size, size=(8, 5)).astype(np.int32)
    candidates = tf.Variable(embeddings)
    index = ScannIndex(everywhere(size), k, max_exclusions=5).index(candidates)
    searcher = Searcher(index, candidates, k)
    tf.saved_model.save(searcher, str(tmp_path), options=tf.saved_model.SaveOptions(namespace_whitelist=["Scann"]))
    loaded = tf.saved_model.load(str(tmp_path))

    for excluded in (NOTHING, exclusions):
        exact = ExactAnswers.find(queries, embeddings, list(excluded), k)
        before, after = searcher.search(queries, excluded), loaded.search(queries, excluded)
        for scores, rows in (before, after):
            recall = exact.recall(rows.numpy())
            assert recall.mean() >= 0.99
            if size <= 100:
                assert (recall == 1.0).all()
            found = rows.numpy() >= 0
            assert (found.sum(axis=1) == exact.depth).all()
            assert (scores.numpy()[~found] == LOWEST).all()
        np.testing.assert_array_equal(before[1], after[1])
        np.testing.assert_array_equal(before[0], after[0])


def test_exact_search_is_tfrs_own_where_exclusions_leave_enough():
    embeddings, queries = corpus(100)
    exclusions = np.random.default_rng(2).integers(0, 100, size=(8, 30)).astype(np.int32)
    theirs = factorized_top_k.BruteForce(k=10).index(tf.constant(embeddings), tf.range(100))
    their_scores, their_rows = theirs.query_with_exclusions(tf.constant(queries), tf.constant(exclusions), k=10)
    scores, rows = ExactIndex(k=10).index(tf.Variable(embeddings)).query_with_exclusions(queries, exclusions)
    np.testing.assert_array_equal(rows, their_rows)
    np.testing.assert_allclose(scores, their_scores, rtol=1e-6)


def test_exact_search_ends_where_tfrs_own_raises():
    embeddings, queries = corpus(16)
    exclusions = np.tile(np.arange(12, dtype=np.int32), (8, 1))
    theirs = factorized_top_k.BruteForce(k=10).index(tf.constant(embeddings), tf.range(16))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        theirs.query_with_exclusions(tf.constant(queries), tf.constant(exclusions), k=10)
    _, rows = ExactIndex(k=10).index(tf.Variable(embeddings)).query_with_exclusions(queries, exclusions)
    assert not np.isin(rows, range(12)).any()
    assert ((rows.numpy() >= 0).sum(axis=1) == 4).all()


def test_a_list_longer_than_max_exclusions_is_searched_exactly_and_alone():
    embeddings, queries = corpus(100)
    candidates = tf.Variable(embeddings)
    index = ScannIndex(ScannParams(10, 10, 2, 100), k=10, max_exclusions=4).index(candidates)
    exclusions = np.full((8, 90), -1, np.int32)
    exclusions[3] = numpy_answer(queries, embeddings, np.full((8, 1), -1), 90)[3]
    exclusions[5, :4] = [1, 2, 3, 4]
    _, _, is_answered = index.approximate(queries, exclusions, 10)
    assert is_answered.numpy().tolist() == [row != 3 for row in range(8)]
    _, rows = index.query_with_exclusions(queries, exclusions)
    np.testing.assert_array_equal(rows, numpy_answer(queries, embeddings, exclusions, 10))


def test_clusters_that_hold_too_few_do_not_shorten_an_answer():
    embeddings, queries = corpus(100)
    index = ScannIndex(ScannParams(10, 1, 2, 100), k=60, max_exclusions=2).index(tf.Variable(embeddings))
    _, short, is_answered = index.approximate(queries, NOTHING, 60)
    assert not is_answered.numpy().any()
    assert (short.numpy() == -1).any()
    _, rows = index.query_with_exclusions(queries, NOTHING)
    np.testing.assert_array_equal(rows, numpy_answer(queries, embeddings, NOTHING, 60))


def test_search_parameters_change_on_one_trained_searcher_and_its_clusters_do_not():
    embeddings, queries = corpus(100)
    index = ScannIndex(ScannParams(10, 1, 2, 100), k=10, max_exclusions=0).index(tf.Variable(embeddings))
    wide = index.with_params(ScannParams(10, 10, 2, 100))
    assert wide.searcher_state is index.searcher_state
    np.testing.assert_array_equal(wide(queries)[1], numpy_answer(queries, embeddings, NOTHING, 10))
    with pytest.raises(ValueError, match="stay"):
        index.with_params(ScannParams(9, 9, 2, 100))


def test_the_same_candidates_give_the_same_searcher():
    generator = np.random.default_rng(0)
    # Leaves of fewer than ScaNN's smallest cluster are split anew, by a random choice of candidates.
    embeddings = tf.constant(generator.normal(size=(3_000, 16)).astype(np.float32))
    arguments = {"k": 10, "num_leaves": 150, "leaves_to_search": 10, "dimensions_per_block": 2}
    names = {searchers.Searcher.train(embeddings, **arguments).shared_name for _ in range(3)}
    assert len(names) == 1
    assert searchers.Searcher.train(embeddings[1:], **arguments).shared_name not in names
