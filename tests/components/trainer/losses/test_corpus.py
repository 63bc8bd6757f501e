"""The corpus loss against numbers worked out by hand.

Queries are unit vectors throughout, so that the scores are the transposed candidate matrix.
"""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer.losses import corpus, make_loss, tiled_cross_entropy
from components.trainer.losses.tiled_cross_entropy import Masked
from shortlist.errors import ConfigError
from tests.components.trainer import tiny_dataset as worlds
from tests.components.trainer.losses import by_hand

E = math.e


@pytest.fixture(params=["whole", "tiled"])
def tiles(request, monkeypatch):
    """The catalogues of these tests are small: once they are scored as a whole, once in tiles of a candidate each."""
    if request.param == "tiled":
        monkeypatch.setattr(corpus, "TILED_FROM", 0)
        monkeypatch.setattr(tiled_cross_entropy, "TILE_CELLS", 1)
        monkeypatch.setattr(tiled_cross_entropy, "MIN_TILE", 1)
    return request.param


def _corpus(scores, temperature=1.0, mask=None, weights=None, targets=(0, 1), windows=None):
    scores = np.array(scores, np.float32)
    task = make_loss(worlds.settings(train={"loss": {"kind": "corpus", "temperature": temperature}})).task
    masked = None
    if mask is not None:
        rows = tf.constant([list(np.flatnonzero(row)) + [-1] * (len(row) - sum(row)) for row in mask], tf.int32)
        masked = Masked(rows, tf.range(len(scores)) if windows is None else tf.constant(windows))
    return float(
        task(
            tf.eye(len(scores)),
            tf.constant(scores.T),
            sample_weight=None if weights is None else tf.constant(weights),
            target_rows=tf.constant(targets),
            masked=masked,
        )
    )


def test_the_task_is_a_tfrs_task():
    assert isinstance(make_loss(worlds.settings()).task, tfrs.tasks.Retrieval)


def test_the_task_serves_the_metrics_of_its_base_class():
    candidates = tf.constant([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    top_1 = tfrs.metrics.FactorizedTopK(tfrs.layers.factorized_top_k.BruteForce().index(candidates), ks=[1])
    mean = tf.keras.metrics.Mean()
    task = corpus.CorpusRetrieval(metrics=top_1, loss_metrics=[mean])
    # Candidate 0 is the first query's best, and candidate 2 is the second query's worst: half of the targets are hit.
    queries, targets = tf.constant([[1.0, 0.5], [1.0, 2.0]]), tf.constant([0, 2])
    loss = task(queries, candidates, target_rows=targets)
    assert [float(metric.result()) for metric in top_1.metrics] == [0.5]
    assert float(mean.result()) == float(loss)
    task(queries, candidates, target_rows=tf.constant([2, 2]), compute_metrics=False)
    assert [float(metric.result()) for metric in top_1.metrics] == [0.5]
    by_id = tfrs.metrics.FactorizedTopK(
        tfrs.layers.factorized_top_k.BruteForce().index(candidates, tf.constant(["a", "b", "c"])), ks=[1]
    )
    ids = tf.constant(["b", "b"])
    corpus.CorpusRetrieval(metrics=by_id)(queries, candidates, target_rows=tf.constant([1, 1]), candidate_ids=ids)
    # The first query's best candidate is a, the second's is b.
    assert [float(metric.result()) for metric in by_id.metrics] == [0.5]


def test_the_task_refuses_what_it_does_not_compute():
    with pytest.raises(ValueError, match=r"has no batch_metrics, num_hard_negatives; .* use tfrs\.tasks\.Retrieval"):
        corpus.CorpusRetrieval(batch_metrics=[tf.keras.metrics.AUC()], num_hard_negatives=3)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4\); expected one per query"):
        corpus.CorpusRetrieval()(tf.zeros([2, 3, 4]), tf.zeros([5, 4]), target_rows=tf.constant([0, 0]))


def test_corpus_softmax_is_over_all_candidates(tiles):
    # Row 0, target 0: e against 1 and 1 -> log(1 + 2/e). Row 1, target 2: e^2 against 1 and e -> log(1 + e^-2 + e^-1).
    loss = _corpus([[1, 0, 0], [0, 1, 2]], targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 2 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_softmax_needs_no_distinct_targets(tiles):
    # Both rows have target 2: log(1 + 2e) with e^0 against 1... row 0: 1 against e and 1; row 1: e^2 against 1 and e.
    loss = _corpus([[1, 0, 0], [0, 1, 2]], targets=(2, 2))
    assert loss == pytest.approx(math.log(2 + E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_scores_are_divided_by_the_temperature(tiles):
    # A temperature of 2 halves the scores.
    loss = _corpus([[2, 0, 0], [0, 2, 4]], temperature=2.0, targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 2 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_corpus_masks_other_targets_and_never_the_row_s_own(tiles):
    # Row 0 masks 0, its target, and 1: e against column 2 alone. Row 1 masks nothing.
    mask = [[True, True, False], [False, False, False]]
    loss = _corpus([[1, 8, 0], [0, 1, 2]], mask=mask, targets=(0, 2))
    assert loss == pytest.approx(math.log(1 + 1 / E) + math.log(1 + E**-2 + 1 / E), abs=1e-5)
    # Row 0 masks all candidates: there is no negative, so its loss is 0.
    mask[0] = [True, True, True]
    assert _corpus([[1, 8, 0], [0, 1, 2]], mask=mask, targets=(0, 2)) == pytest.approx(
        math.log(1 + E**-2 + 1 / E), abs=1e-5
    )


def test_corpus_weights_multiply_a_row_s_loss(tiles):
    loss = _corpus([[1, 0, 0], [0, 1, 2]], weights=[0.0, 3.0], targets=(0, 2))
    assert loss == pytest.approx(3 * math.log(1 + E**-2 + 1 / E), abs=1e-5)


def test_queries_of_one_window_share_its_mask(tiles):
    # Rows 0 and 1 belong to window 1, which masks columns 0 and 2. Row 0 has target 0 and negative 1 alone.
    # Row 1 has target 1 and no negative.
    loss = _corpus([[1, 0, 5], [0, 1, 5]], mask=[[False] * 3, [True, False, True]], targets=(0, 1), windows=[1, 1])
    assert loss == pytest.approx(math.log(1 + 1 / E), abs=1e-5)


def test_rows_to_mask():
    mask = corpus.rows_to_mask(tf.constant([[0, 2, -1], [-1, -1, -1], [1, -1, 1]]), 4)
    np.testing.assert_array_equal(mask, [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
def test_the_model_s_corpus_loss_is_the_formula(world, tiles, mask, normalize):
    loss = {"kind": "corpus", "temperature": 0.3, "mask_other_targets": mask, "mask_unseen_candidates": False}
    model, reader, _ = by_hand.model(world, loss, normalize=normalize)
    batch = by_hand.batch(reader, world)
    candidates = model.embed_candidates().numpy()
    total = weights = 0.0
    for window, query, target, weight in by_hand.rows(model, batch):
        scores = candidates @ query / 0.3
        other = [row for row in batch.seen[window].numpy() if row >= 0 and row != target] if mask else []
        # The mask covers all six train candidates of the query, not only those of the window.
        assert len(other) == (5 if mask else 0)
        total += weight * by_hand.cross_entropy(np.delete(scores, other), target - np.sum(np.array(other) < target))
        weights += weight
    assert float(model.compute_loss(batch)) == pytest.approx(total / weights, rel=1e-5)


def test_a_batch_without_weight_has_loss_zero(world, tiles):
    model, reader, _ = by_hand.model(world, {"kind": "corpus"})
    batch = by_hand.batch(reader, world)
    assert float(model.compute_loss(batch._replace(weights=tf.zeros_like(batch.weights)))) == 0.0


@pytest.mark.parametrize(("mask", "mask_unseen"), [(True, False), (False, False), (True, True), (False, True)])
def test_corpus_loss_is_the_mean_over_targets_against_the_whole_catalogue(world, tiles, mask, mask_unseen):
    switches = {"mask_other_targets": mask, "mask_unseen_candidates": mask_unseen}
    settings = worlds.settings(train={"loss": {"kind": "corpus", "temperature": 0.5, **switches}})
    model, reader, catalogue = worlds.assemble(world, settings)
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:3]), worlds.SEED)
    candidates = model.embed_candidates().numpy()
    losses = []
    for row in range(3):
        features = {name: column[row : row + 1] for name, column in batch.features.items()}
        for target, position in zip(batch.targets[row].numpy(), batch.positions[row].numpy(), strict=True):
            if target < 0:
                continue
            history = batch.items[row : row + 1, :position]
            scores = (model.embed_queries(features, history, candidates).numpy() @ candidates.T)[0] / 0.5
            if mask:
                others = [item for item in batch.seen[row].numpy() if item >= 0 and item != target]
                scores[others] = -1e9
            if mask_unseen:
                scores[catalogue.counts == 0] = -1e9
            losses.append(by_hand.cross_entropy(scores, target))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)


def _with_gradients(world, records, parts=2, **switches):
    settings = worlds.settings(train={"loss": {"kind": "corpus", "parts": parts, **switches}})
    model, reader, _ = worlds.assemble(world, settings)
    worlds.shake(model)
    batch = reader.train_batch(tf.constant(records), worlds.SEED)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    gradients = tape.gradient(loss, model.trainable_variables)
    return float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def test_tiles_change_neither_loss_nor_gradient(world, monkeypatch):
    records = worlds.read(world.windows["train"])[:5]
    for switches in ({}, {"mask_unseen_candidates": False}, {"mask_other_targets": False}):
        monkeypatch.setattr(corpus, "TILED_FROM", 20_000)
        loss, gradients = _with_gradients(world, records, **switches)
        monkeypatch.setattr(corpus, "TILED_FROM", 0)
        tiled_loss, tiled_gradients = _with_gradients(world, records, **switches)
        assert tiled_loss == pytest.approx(loss, rel=1e-6)
        for tiled, gradient in zip(tiled_gradients, gradients, strict=True):
            np.testing.assert_allclose(tiled, gradient, atol=1e-6)


@pytest.mark.parametrize("windows", [1, 3])
def test_neither_loss_nor_gradient_depends_on_the_parts(world, tiles, windows):
    # With one or three windows in five parts, some parts are empty.
    records = worlds.read(world.windows["train"])[:windows]
    found = [_with_gradients(world, records, parts) for parts in (1, 2, 5)]
    (loss, gradients), *others = found
    for other_loss, other_gradients in others:
        assert other_loss == pytest.approx(loss, rel=1e-5)
        for gradient, other in zip(gradients, other_gradients, strict=True):
            np.testing.assert_allclose(other, gradient, atol=1e-5)


def test_without_features_unseen_candidates_stay_negatives(world):
    def loss(mask_unseen):
        switches = {"kind": "corpus", "mask_other_targets": False, "mask_unseen_candidates": mask_unseen}
        settings = dataclasses.replace(worlds.settings(train={"loss": switches}), candidate_features={})
        model, reader, catalogue = worlds.assemble(world, settings)
        assert (catalogue.counts == 0).any()
        return float(model.compute_loss(by_hand.batch(reader, world)))

    assert loss(True) == loss(False)


def test_a_corpus_loss_that_cannot_fit_is_refused():
    loss = make_loss(worlds.settings(train={"batch_size": 1_000_000}))
    loss.check_fits(20)
    # A million windows' masks of 7 bytes and 12 copies of 8 floats, each times 10,000.
    with pytest.raises(
        ConfigError, match=r"about 65 GiB for .*=1000000 windows .* lower train.batch_size or .* sampled"
    ):
        loss.check_fits(10_000)
    # In tiles, there are no masks: 12 copies of 8 floats, each times 100 million.
    loss.check_fits(20_000)
    loss.check_fits(10_000_000)
    with pytest.raises(ConfigError, match=r"about 36 GiB .* lower model.embedding_dim or"):
        loss.check_fits(100_000_000)


def test_nothing_is_drawn_so_that_nothing_is_clipped():
    assert make_loss(worlds.settings()).count_clipped(np.array([1, 10_000_000])) == 0


def test_eval_batches_are_larger_than_those_of_training_if_the_loss_does_not_depend_on_them():
    def sizes(batch_size, kind):
        loss = make_loss(worlds.settings(train={"batch_size": batch_size, "loss": {"kind": kind}}))
        return [loss.eval_batch_size(corpus) for corpus in (1_682, 1_000_000)]

    assert sizes(16, "corpus") == [256, 256]
    assert sizes(512, "corpus") == [512, 512]
    assert sizes(16, "in_batch") == [16, 16]
