"""Comparison of the tiled loss and its gradients with TensorFlow's, which need the whole matrix of scores."""

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.losses import tiled_cross_entropy as tiled
from components.trainer.losses.tiled_cross_entropy import Masked, tiled_cross_entropy
from tests.components.trainer.losses.by_hand import with_gradients

CANDIDATES, QUERIES, WIDTH, WINDOWS = 90, 40, 6, 5


def _inputs(dtype=tf.float64, scale=2.0, number=QUERIES):
    random = np.random.default_rng(5)
    queries = tf.constant(random.normal(size=(number, WIDTH)) * scale, dtype)
    candidates = tf.constant(random.normal(size=(CANDIDATES, WIDTH)) * scale, dtype)
    targets = random.integers(CANDIDATES, size=number).astype(np.int32)
    windows = random.integers(WINDOWS, size=number).astype(np.int32)
    rows = np.stack([random.permutation(CANDIDATES)[:30] for _ in range(WINDOWS)]).astype(np.int32)
    # Of different lengths, and one window's own targets are masked.
    rows[:, 20:] = -1
    rows[1] = -1
    own = np.unique(targets[windows == 0])
    rows[0, : len(own)], rows[0, len(own) :] = own, -1
    return queries, candidates, targets, tf.constant(random.uniform(size=number), dtype), Masked(rows, windows)


def _tiled(queries, candidates, targets, weights, masked):
    own = tf.reduce_sum(queries * tf.gather(candidates, targets), axis=1)
    return tiled_cross_entropy(queries, candidates, own, targets, weights, masked)


def _by_tensorflow(queries, candidates, targets, weights, masked):
    scores = queries @ tf.transpose(candidates)
    if masked is not None:
        hidden = np.array([np.isin(np.arange(CANDIDATES), masked.rows[window]) for window in masked.windows])
        hidden[np.arange(len(targets)), targets] = False
        scores = tf.where(hidden, tf.constant(-np.inf, scores.dtype), scores)
    return tf.reduce_sum(weights * tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores))


@pytest.mark.parametrize("tile", [1, 7, CANDIDATES, 1000])
@pytest.mark.parametrize("is_masked", [True, False])
def test_is_what_tensorflow_derives_to_1e_10(monkeypatch, tile, is_masked):
    monkeypatch.setattr(tiled, "MIN_TILE", tile)
    monkeypatch.setattr(tiled, "TILE_CELLS", 1)
    *inputs, masked = _inputs()
    masked = masked if is_masked else None
    ours = tf.function(lambda: with_gradients(_tiled, *inputs, masked))()
    theirs = with_gradients(_by_tensorflow, *inputs, masked)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 1e-5), (40.0, 1e-3)])
def test_in_float32_scores_of_thousands_do_not_overflow(monkeypatch, scale, tolerance):
    monkeypatch.setattr(tiled, "MIN_TILE", 7)
    monkeypatch.setattr(tiled, "TILE_CELLS", 1)
    inputs = _inputs(tf.float32, scale)
    for mine, other in zip(with_gradients(_tiled, *inputs), with_gradients(_by_tensorflow, *inputs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


def test_a_positive_that_is_no_candidate_counts_all_the_same():
    # Scores of the candidates 1 and 0, and an own score of 2: -log(e^2 / (e^2 + e + 1)) = 0.4076.
    own = tf.constant([2.0])
    with tf.GradientTape() as tape:
        tape.watch(own)
        loss = tiled_cross_entropy(
            tf.constant([[1.0]]), tf.constant([[1.0], [0.0]]), own, tf.constant([-1]), tf.ones([1])
        )
    assert float(loss) == pytest.approx(0.4076, abs=1e-4)
    # e^2 / (e^2 + e + 1) - 1 = 0.6652 - 1.
    assert float(tape.gradient(loss, own)) == pytest.approx(-0.3348, abs=1e-4)


def test_a_query_without_negatives_has_loss_zero():
    own = tf.constant([7.0])
    masked = Masked(tf.constant([[1, 0]]), tf.constant([0]))
    candidates = tf.constant([[900.0], [0.0]])
    loss = tiled_cross_entropy(tf.constant([[1.0]]), candidates, own, tf.constant([-1]), tf.ones([1]), masked)
    assert float(loss) == 0.0


def test_no_queries_and_no_candidates_cost_nothing():
    *inputs, masked = _inputs(number=0)
    loss, by_query, by_candidate = tf.function(lambda: with_gradients(_tiled, *inputs, masked))()
    assert float(loss) == 0.0
    assert by_query.shape == (0, WIDTH)
    np.testing.assert_array_equal(by_candidate, np.zeros((CANDIDATES, WIDTH)))
    nothing = tf.zeros([0, 1])
    loss = tiled_cross_entropy(tf.ones([1, 1]), nothing, tf.ones([1]), tf.constant([-1]), tf.ones([1]))
    assert float(loss) == 0.0


def test_memory_is_that_of_a_tile(monkeypatch):
    shapes = []
    product = tf.matmul
    monkeypatch.setattr(tf, "matmul", lambda *args, **more: _seen(product(*args, **more), shapes))
    monkeypatch.setattr(tiled, "TILE_CELLS", QUERIES * 8)
    monkeypatch.setattr(tiled, "MIN_TILE", 1)
    with_gradients(_tiled, *_inputs())
    # Eagerly, the shape of each product is known: 8 candidates per tile at most, of 90.
    assert max(shape[0] for shape in shapes if shape[1] == QUERIES) == 8


def _seen(result, shapes):
    shapes.append(result.shape)
    return result
