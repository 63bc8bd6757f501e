"""The logQ correction: probabilities with which a step's sampler draws candidates."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# TFRS clips sampling probabilities to [1e-6, 1] before it takes their logarithm.
MIN_SAMPLING_PROBABILITY = 1e-6


def count_clipped(frequencies: np.ndarray, num_in_batch: int, num_uniform: int) -> int:
    """Returns the number of candidates whose sampling probability is above 0 and below the one that TFRS clips to.

    Args:
      frequencies: [corpus] floats, each candidate's share of the train targets.
      num_in_batch: P, see `sampling_probability`.
      num_uniform: N.
    """
    probability = (num_in_batch * frequencies + num_uniform / len(frequencies)) / (num_in_batch + num_uniform)
    return int(np.count_nonzero((probability > 0.0) & (probability < MIN_SAMPLING_PROBABILITY)))


def sampling_probability(
    rows: tf.Tensor, frequencies: tf.Tensor, num_in_batch: tf.Tensor, num_uniform: int
) -> tf.Tensor:
    """Returns [n], the probability that one draw of a batch's candidates is each of `rows`.

    P in-batch targets are drawn by target frequency q, N more uniformly from C candidates; a candidate
    among all P + N is then c with probability (P q(c) + N / C) / (P + N).

    Args:
      rows: [n] rows of the corpus.
      frequencies: [corpus] floats, each candidate's share of the train targets.
      num_in_batch: P.
      num_uniform: N.
    """
    in_batch = tf.cast(num_in_batch, tf.float32)
    uniform = tf.constant(num_uniform, tf.float32)
    corpus = tf.cast(tf.shape(frequencies)[0], tf.float32)
    return (in_batch * tf.gather(frequencies, rows) + uniform / corpus) / (in_batch + uniform)
