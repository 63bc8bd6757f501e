"""Draws of a batch's negatives, and the weights that correct for them."""

import math

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.losses import sampled_negatives
from components.trainer.losses.base import MIN_FLOAT
from components.trainer.noise import Noise


def _draw(number, size, step):
    return sampled_negatives.draw_spread(number, size, Noise(1, tf.constant(step))).numpy()


@pytest.mark.parametrize(
    ("number", "size", "drawn"), [(3, 7, 3), (7, 7, 7), (9, 7, 7), (0, 7, 0), (3, 0, 0), (1, 1, 1)]
)
def test_draws_are_distinct_and_below_the_size(number, size, drawn):
    for step in range(5):
        rows = _draw(number, size, step)
        assert rows.dtype == np.int32
        assert len(rows) == len(set(rows)) == drawn
        assert not drawn or (rows.min() >= 0 and rows.max() < size)


def test_every_number_is_drawn_with_the_same_probability():
    # 3 of 7: each is in 3/7 of 3,000 draws, 1,286, with a standard deviation of at most 27.
    counts = np.zeros(7)
    draw = tf.function(lambda step: sampled_negatives.draw_spread(3, 7, Noise(1, step)))
    for step in range(3000):
        counts[draw(tf.constant(step)).numpy()] += 1
    assert counts.sum() == 9000
    assert np.abs(counts - 3000 * 3 / 7).max() < 4 * 27


def test_a_catalogue_of_billions_of_pairs_does_not_overflow():
    # 1,000,000 strata of 2,000,000,000 numbers: their product exceeds 32 bits.
    rows = _draw(1_000_000, 2_000_000_000, 1)
    assert len(np.unique(rows)) == 1_000_000
    assert rows.min() >= 0
    assert abs(rows.astype(np.float64).mean() - 1e9) < 3e6


def test_draws_from_other_queries():
    # Six targets, of which query 7 has four in two windows, query 8 two: 3 draws are on average 1 of 8's and 2 of 7's.
    found = sampled_negatives.draws_from_others(tf.constant([7, 8, 7]), tf.constant([1.0, 2.0, 3.0]), tf.constant(3))
    assert found.numpy().tolist() == pytest.approx([1.0, 2.0, 1.0])
    # A single query has no others, and an empty batch no targets.
    alone = sampled_negatives.draws_from_others(tf.constant([7]), tf.constant([4.0]), tf.constant(3))
    assert alone.numpy().tolist() == [0.0]
    empty = sampled_negatives.draws_from_others(tf.constant([7]), tf.constant([0.0]), tf.constant(0))
    assert empty.numpy().tolist() == [0.0]


def test_expected_counts():
    # Frequencies of 1/2 and 1/100; 4 draws from targets, or 2, and 1 of 20 candidates uniformly.
    found = sampled_negatives.expected_counts(tf.constant([0.5, 0.01]), tf.constant([4.0, 2.0]), 0.05)
    np.testing.assert_allclose(found, [[2.05, 0.09], [1.05, 0.07]], rtol=1e-6)


def test_columns_and_masks():
    negatives = tf.constant([30, 10, 20])
    columns = sampled_negatives.columns_of(negatives, tf.constant([[20, 99, 30], [-1, 10, -1]]))
    assert columns.numpy().tolist() == [[2, -1, 0], [-1, 1, -1]]
    mask = sampled_negatives.mask_columns(columns, tf.size(negatives))
    assert mask.numpy().astype(int).tolist() == [[1, 0, 1], [0, 1, 0]]
    assert sampled_negatives.mask_columns(tf.zeros([2, 0], tf.int32), tf.constant(3)).numpy().sum() == 0


def test_weights_are_counts_over_expected_counts():
    drawn = sampled_negatives.distinct(tf.constant([5, 9, 5]))
    assert (drawn.rows.numpy().tolist(), drawn.counts.numpy().tolist()) == ([5, 9], [2.0, 1.0])
    masked = tf.constant([[False, False], [False, True]])
    found = sampled_negatives.log_weights(drawn.counts, tf.constant([[4.0, 0.5], [2.0, 0.0]]), masked, 2)
    np.testing.assert_allclose(found[0], [math.log(2 / 4), math.log(1 / 0.5)], rtol=1e-6)
    np.testing.assert_allclose(found[1], [0.0, MIN_FLOAT], atol=1e-6)
    # Uncorrected, a candidate counts as often as it was drawn.
    np.testing.assert_allclose(sampled_negatives.log_weights(drawn.counts, None, None, 2), [[math.log(2), 0]] * 2)
