from __future__ import annotations

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.indexer import retrieval


def test_contains_finds_exactly_the_given_rows():
    sorted_rows = retrieval.sort_rows(tf.constant([[7, 3, 3], [-1, -1, 0]]))
    found = retrieval.contains(sorted_rows, tf.constant([[3, 4, 7, 9], [0, 1, 2, 3]]))
    np.testing.assert_array_equal(found, [[True, False, True, False], [True, False, False, False]])


def test_contains_with_no_columns_finds_nothing():
    sorted_rows = retrieval.sort_rows(tf.zeros([2, 0], tf.int32))
    assert not tf.reduce_any(retrieval.contains(sorted_rows, tf.constant([[0, 1], [2, 3]])))


def test_count_distinct_counts_neither_repeats_nor_none():
    sorted_rows = retrieval.sort_rows(tf.constant([[5, 5, 2, -1], [-1, -1, -1, -1], [4, 3, 2, 1]]))
    np.testing.assert_array_equal(retrieval.count_distinct(sorted_rows), [2, 0, 4])


def test_top_rows_drops_nan_slots_even_when_they_carry_a_real_row():
    # ScaNN fills slots that it could not fill with a NaN score and the row of some candidate.
    scores = tf.constant([[np.nan, 3.0, 1.0]])
    rows = tf.constant([[4, 4, 9]])
    top, found = retrieval.top_rows(scores, rows, tf.ones_like(rows, tf.bool), k=4)
    np.testing.assert_array_equal(found, [[4, 9, -1, -1]])
    np.testing.assert_array_equal(top, [[3.0, 1.0, retrieval.LOWEST, retrieval.LOWEST]])


def test_ties_go_to_the_lower_row():
    scores = tf.constant([[2.0, 2.0, 2.0, 5.0]])
    _, found = retrieval.top_rows(scores, tf.constant([[8, 1, 5, 9]]), tf.ones([1, 4], tf.bool), k=3)
    np.testing.assert_array_equal(found, [[9, 1, 5]])


def test_top_of_corpus_with_everything_excluded_is_empty():
    scores, rows = retrieval.top_of_corpus(tf.constant([[1.0, 2.0]]), tf.constant([[0, 1, 1, -1]]), k=3)
    np.testing.assert_array_equal(rows, [[-1, -1, -1]])
    assert (scores.numpy() == retrieval.LOWEST).all()


@settings(deadline=None, max_examples=60)
@given(
    scores=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    excluded=st.lists(st.integers(-1, 11), max_size=15),
    k=st.integers(1, 14),
)
def test_top_of_corpus_agrees_with_sorting(scores, excluded, k):
    """Returns the answer by definition: by descending score, ties by row, without excluded rows."""
    excluded = [row for row in excluded if row < len(scores)]
    left = [row for row in range(len(scores)) if row not in excluded]
    expected = sorted(left, key=lambda row: (-scores[row], row))[:k]
    rows = tf.constant([excluded], tf.int32, shape=[1, len(excluded)])
    top, found = retrieval.top_of_corpus(tf.constant([scores], tf.float32), rows, k)
    assert found.numpy()[0].tolist() == expected + [-1] * (k - len(expected))
    assert top.numpy()[0, : len(expected)].tolist() == [scores[row] for row in expected]
