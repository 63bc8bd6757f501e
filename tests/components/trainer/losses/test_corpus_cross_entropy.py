"""Comparison of the loss and its gradients with TensorFlow's, which need the whole matrix of scores."""

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.losses import corpus_cross_entropy as cross_entropy
from components.trainer.losses.corpus_cross_entropy import NotNegatives, corpus_cross_entropy
from tests.components.trainer.losses.by_hand import with_gradients

CORPUS = 7
LOWEST = np.finfo(np.float32).min / 100


def _inputs(number: int, scale: float = 1.0):
    random = np.random.default_rng(3)
    return (
        tf.constant(random.normal(size=(number, 4)) * scale, tf.float32),
        tf.constant(random.normal(size=(CORPUS, 4)) * scale, tf.float32),
        tf.constant(random.integers(CORPUS, size=number), tf.int32),
        tf.constant(random.uniform(size=number), tf.float32),
    )


def _masks(targets: tf.Tensor) -> NotNegatives:
    """Returns masks of three windows; they include every second query's target, as the masks of seen items do."""
    windows = np.arange(len(targets)) % 3
    masked = np.random.default_rng(4).uniform(size=(3, CORPUS)) < 0.4
    masked[windows[::2], targets.numpy()[::2]] = True
    return NotNegatives(tf.constant(np.where(masked, LOWEST, 0.0), tf.float32), tf.constant(windows, tf.int32))


def _by_tensorflow(queries, candidates, targets, weights, masks):
    scores = queries @ tf.transpose(candidates)
    if masks is not None:
        is_target = tf.one_hot(targets, CORPUS)
        scores += tf.gather(masks.penalties, masks.windows) * (1.0 - is_target)
    return tf.reduce_sum(weights * tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores))


@pytest.mark.parametrize("cells", [1, 3 * CORPUS, 1000], ids=["a row a piece", "three rows", "one piece"])
@pytest.mark.parametrize("masked", [False, True])
def test_is_what_tensorflow_derives(monkeypatch, cells, masked):
    monkeypatch.setattr(cross_entropy, "PIECE_CELLS", cells)
    inputs = _inputs(10)
    masks = _masks(inputs[2]) if masked else None
    ours = tf.function(with_gradients)(corpus_cross_entropy, *inputs, masks)
    theirs = with_gradients(_by_tensorflow, *inputs, masks)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=1e-6)


def test_scores_of_thousands_do_not_overflow():
    inputs = _inputs(10, scale=40.0)
    ours = with_gradients(corpus_cross_entropy, *inputs, _masks(inputs[2]))
    theirs = with_gradients(_by_tensorflow, *inputs, _masks(inputs[2]))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-3)


def test_no_queries_cost_nothing():
    loss, by_query, by_candidate = tf.function(with_gradients)(corpus_cross_entropy, *_inputs(0))
    assert float(loss) == 0.0
    assert by_query.shape == (0, 4)
    np.testing.assert_array_equal(by_candidate, np.zeros((CORPUS, 4)))
