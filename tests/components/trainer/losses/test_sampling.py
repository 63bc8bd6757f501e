import numpy as np
import tensorflow as tf

from components.trainer.losses import sampling


def test_candidates_that_logq_cannot_tell_apart_are_counted():
    # P = 1: probabilities are the frequencies. 0 is never drawn, 5e-7 is below 1e-6, 1e-6 is not.
    assert sampling.count_clipped(np.array([0.0, 5e-7, 1e-6, 0.9]), 1, 0) == 1
    # P = N = 1, C = 4: (f + 1/4) / 2 is at least 1/8.
    assert sampling.count_clipped(np.array([0.0, 5e-7, 1e-6, 0.9]), 1, 1) == 0


def test_sampling_probability_in_batch_is_the_target_frequency():
    probability = sampling.sampling_probability(tf.constant([2, 0]), tf.constant([0.5, 0.3, 0.2]), tf.constant(7), 0)
    np.testing.assert_allclose(probability, [0.2, 0.5], rtol=1e-6)


def test_sampling_probability_of_uniform_draws_alone_is_one_in_the_corpus():
    probability = sampling.sampling_probability(tf.constant([1, 0]), tf.constant([0.5, 0.5, 0, 0]), tf.constant(0), 3)
    np.testing.assert_allclose(probability, [0.25, 0.25], rtol=1e-6)


def test_sampling_probability_of_both_is_their_weighted_mean():
    # P = 6, N = 2, C = 4: (6 * 0.5 + 2/4) / 8 = 0.4375, and (6 * 0 + 2/4) / 8 = 0.0625 for one that is no target.
    probability = sampling.sampling_probability(tf.constant([0, 3]), tf.constant([0.5, 0.3, 0.2, 0]), tf.constant(6), 2)
    np.testing.assert_allclose(probability, [0.4375, 0.0625], rtol=1e-6)
