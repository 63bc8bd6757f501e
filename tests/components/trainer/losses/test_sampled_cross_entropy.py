"""The sampled cross-entropy by hand, and its gradients against TensorFlow's."""

import math

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.losses import sampled_cross_entropy as module
from components.trainer.losses.base import MIN_FLOAT
from components.trainer.losses.sampled_cross_entropy import Negatives, sampled_cross_entropy

E = math.e
NUMBER = 7  # negatives


def _loss(own, scores, log_weights, **more):
    """Returns the loss of queries that are unit vectors, so that scores are columns of the negatives."""
    scores = np.array(scores, np.float32)
    queries = tf.eye(len(scores))
    negatives = Negatives(tf.constant(scores.T), tf.constant(log_weights, tf.float32))
    weights = more.pop("weights", [1.0] * len(scores))
    windows = more.pop("windows", range(len(scores)))
    return float(
        sampled_cross_entropy(
            queries,
            tf.linalg.diag(tf.constant(own)),
            tf.constant(weights),
            tf.constant(list(windows)),
            negatives,
            **more,
        )
    )


def test_the_positive_counts_once_and_a_negative_as_often_as_its_weight_says():
    # Row 0: e against 1 and 3 e^0 -> log(1 + 4/e). Row 1: e^2 against 2e and 1 -> log(1 + 2/e + e^-2).
    weights = [[0.0, math.log(3)], [math.log(2), 0.0]]
    loss = _loss([1.0, 2.0], [[0, 0], [1, 0]], weights)
    assert loss == pytest.approx(math.log(1 + 4 / E) + math.log(1 + 2 / E + E**-2), abs=1e-5)


def test_queries_of_one_window_share_its_weights_and_masks():
    # Window 1 masks negative 0. Row 0: e against e^2; row 1: 1 against e^3, three times.
    weights = [[0.0, 0.0], [MIN_FLOAT, 0.0]]
    loss = _loss([1.0, 0.0], [[9, 2], [9, 3]], weights, windows=[1, 1], weights=[1.0, 3.0])
    assert loss == pytest.approx(math.log(1 + E) + 3 * math.log(1 + E**3), abs=1e-5)


def test_without_a_negative_the_loss_is_zero():
    assert _loss([1.0], [[9]], [[MIN_FLOAT]]) == 0.0
    assert _loss([1.0], np.zeros([1, 0]), np.zeros([1, 0])) == 0.0


def test_a_hit_does_not_count():
    # Negative 0 is row 0's target, no negative is row 1's.
    loss = _loss([1.0, 1.0], [[1, 0], [0, 0]], np.zeros([2, 2]), hits=tf.constant([0, -1]))
    assert loss == pytest.approx(math.log(1 + 1 / E) + math.log(1 + 2 / E), abs=1e-5)


def test_only_the_hardest_count_by_weighted_score_and_a_hit_is_none():
    # Row 0: 1 + log 5 = 2.6 exceeds 2; row 1: 0 + log 5 = 1.6 is below 2. Row 2's hardest is a hit.
    weights = [[math.log(5), 0.0]] * 3
    loss = _loss([0.0] * 3, [[1, 2], [0, 2], [0, 9]], weights, hits=tf.constant([-1, -1, 1]), num_hardest=1)
    assert loss == pytest.approx(math.log(1 + 5 * E) + math.log(1 + E**2) + math.log(1 + 5), abs=1e-5)


def _inputs(number, scale=1.0):
    random = np.random.default_rng(3)
    masks = np.where(random.uniform(size=(3, NUMBER)) < 0.3, MIN_FLOAT, random.normal(size=(3, NUMBER)))
    return (
        tf.constant(random.normal(size=(number, 4)) * scale, tf.float32),
        tf.constant(random.normal(size=(number, 4)) * scale, tf.float32),
        tf.constant(random.normal(size=(NUMBER, 4)) * scale, tf.float32),
        tf.constant(random.uniform(size=number), tf.float32),
        tf.constant(np.arange(number) % 3, tf.int32),
        tf.constant(masks, tf.float32),
        tf.constant(random.integers(-1, NUMBER, size=number), tf.int32),
    )


def _ours(queries, positives, embeddings, weights, windows, log_weights, hits, num_hardest):
    return sampled_cross_entropy(
        queries, positives, weights, windows, Negatives(embeddings, log_weights), hits, num_hardest
    )


def _by_tensorflow(queries, positives, embeddings, weights, windows, log_weights, hits, num_hardest):
    scores = queries @ tf.transpose(embeddings) + tf.gather(log_weights, windows)
    scores = tf.where(tf.one_hot(hits, NUMBER) > 0, MIN_FLOAT, scores)
    if num_hardest is not None:
        scores = tf.math.top_k(scores, num_hardest).values
    own = tf.reduce_sum(queries * positives, axis=1, keepdims=True)
    logits = tf.concat([own, scores], axis=1)
    labels = tf.zeros(tf.shape(own)[:1], tf.int32)
    return tf.reduce_sum(weights * tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def _with_gradients(function, *inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs[:3])
        loss = 3.0 * function(*inputs)
    return loss, *tape.gradient(loss, inputs[:3])


@pytest.mark.parametrize("cells", [1, 3 * NUMBER, 1000], ids=["a row a piece", "three rows", "one piece"])
@pytest.mark.parametrize("num_hardest", [None, 2])
def test_is_what_tensorflow_derives(monkeypatch, cells, num_hardest):
    monkeypatch.setattr(module, "PIECE_CELLS", cells)
    inputs = _inputs(10)
    ours = tf.function(_with_gradients)(_ours, *inputs, num_hardest)
    for mine, other in zip(ours, _with_gradients(_by_tensorflow, *inputs, num_hardest), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=1e-6)


def test_scores_of_thousands_do_not_overflow():
    ours = _with_gradients(_ours, *_inputs(10, scale=40.0), None)
    assert all(np.isfinite(value).all() for value in ours)


def test_no_queries_have_loss_and_gradients_of_zero():
    loss, *gradients = _with_gradients(_ours, *_inputs(0), None)
    assert float(loss) == 0.0
    assert [gradient.shape.as_list() for gradient in gradients] == [[0, 4], [0, 4], [NUMBER, 4]]
    assert not gradients[2].numpy().any()
