from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.indexer import retrieval


@pytest.mark.parametrize("padding", [0, 100])
def test_contains_finds_exactly_the_given_rows(padding):
    # Long lists are sorted and searched.
    lists = tf.pad(tf.constant([[7, 3, 3], [-1, -1, 0]]), [[0, 0], [0, padding]], constant_values=-1)
    found = retrieval.contains(lists, tf.constant([[3, 4, 7, 9], [0, 1, 2, 3]]))
    np.testing.assert_array_equal(found, [[True, False, True, False], [True, False, False, False]])


def test_contains_with_no_columns_finds_nothing():
    assert not tf.reduce_any(retrieval.contains(tf.zeros([2, 0], tf.int32), tf.constant([[0, 1], [2, 3]])))
    for width in (0, 100):
        assert retrieval.contains(tf.zeros([0, width], tf.int32), tf.zeros([0, 0], tf.int32)).shape == [0, 0]


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


def test_scores_of_all_signs_and_sizes_are_sorted_and_zeros_of_both_signs_tie():
    values = [3.4e38, 1.0, 1e-40, 0.0, -0.0, -1e-40, -2.0, -3.4e38]
    order = np.random.default_rng(0).permutation(8)
    scores, rows = np.array(values, np.float32)[order], order.astype(np.int32)
    top, found = retrieval.top_rows(scores[np.newaxis], rows[np.newaxis], tf.ones([1, 8], tf.bool), k=8)
    np.testing.assert_array_equal(found, [range(8)])
    np.testing.assert_array_equal(top, [np.array(values, np.float32)])


def test_repeats_are_dropped():
    np.testing.assert_array_equal(retrieval.drop_repeats(tf.constant([[5, 2, 5, -1, 2]])), [[-1, 2, -1, 5, -1]])
    assert retrieval.drop_repeats(tf.zeros([3, 0], tf.int32)).shape == [3, 0]


# A wide list of exclusions takes another way; -1 sends every list there.
both_ways = pytest.mark.parametrize("most_fetched", [512, -1])


@both_ways
def test_top_of_corpus_with_everything_excluded_is_empty(monkeypatch, most_fetched):
    monkeypatch.setattr(retrieval, "_MOST_FETCHED", most_fetched)
    _, keep = retrieval.top_of_corpus(tf.constant([[1.0, 2.0]]), tf.constant([[0, 1, 1, -1]]), k=3)
    assert not keep.numpy().any()


@both_ways
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scores=st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    excluded=st.lists(st.integers(-1, 11), max_size=15),
    k=st.integers(1, 14),
)
def test_top_of_corpus_agrees_with_sorting(monkeypatch, most_fetched, scores, excluded, k):
    """Returns the answer by definition: by descending score, ties by row, without excluded rows."""
    monkeypatch.setattr(retrieval, "_MOST_FETCHED", most_fetched)
    excluded = [row for row in excluded if row < len(scores)]
    left = [row for row in range(len(scores)) if row not in excluded]
    expected = sorted(left, key=lambda row: (-scores[row], row))[:k]
    columns = tf.constant([excluded], tf.int32, shape=[1, len(excluded)])
    rows, keep = retrieval.top_of_corpus(tf.constant([scores], tf.float32), columns, k)
    assert rows.numpy()[keep.numpy()].tolist()[:k] == expected
