import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.evaluator.ranks import target_ranks
from components.trainer.model import TrainBatch
from components.trainer.noise import Noise
from shortlist import keys
from shortlist.errors import ConfigError
from tests.components.trainer import tiny_dataset as worlds

_FEATURES_TOWER = {"query_tower": {"kind": "features"}, "embedding_dim": 8}


def _batch(world, reader):
    return reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:3]), worlds.SEED)


def _log_softmax(scores):
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def _first_targets(world, reader):
    """One target of each of three queries, which have two windows each."""
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:6:2]), worlds.SEED)
    columns = ("targets", "positions", "weights", "times")
    return batch._replace(**{name: getattr(batch, name)[:, :1] for name in columns})


@pytest.mark.parametrize(("mask", "mask_unseen"), [(True, False), (False, False), (True, True), (False, True)])
def test_corpus_loss_is_the_mean_over_targets_against_the_whole_catalogue(world, mask, mask_unseen):
    switches = {"mask_other_targets": mask, "mask_unseen_candidates": mask_unseen}
    settings = worlds.settings(train={"loss": {"kind": "corpus", "temperature": 0.5, **switches}})
    model, reader, corpus = worlds.assemble(world, settings)
    batch = _batch(world, reader)
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
                scores[corpus.counts == 0] = -1e9
            losses.append(-_log_softmax(scores)[target])
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("windows", [1, 3])
def test_neither_loss_nor_gradient_depends_on_the_parts(world, windows):
    found = []
    for parts in (1, 2, 5):
        settings = worlds.settings(train={"loss": {"kind": "corpus", "parts": parts}})
        model, reader, _ = worlds.assemble(world, settings)
        worlds.shake(model)
        # One window or three in five parts: some have none.
        records = worlds.read(world.windows["train"])[:windows]
        batch = reader.train_batch(tf.constant(records), worlds.SEED)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch)
        gradients = tape.gradient(loss, model.trainable_variables)
        found.append((float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]))
    (loss, gradients), *others = found
    for other_loss, other_gradients in others:
        assert other_loss == pytest.approx(loss, rel=1e-5)
        for gradient, other in zip(gradients, other_gradients, strict=True):
            np.testing.assert_allclose(other, gradient, atol=1e-5)


def test_parts_and_steps_draw_noise_of_their_own():
    drawn = [int(Noise(1, tf.constant(step)).key_of_part(part, 3)) for step in range(4) for part in range(3)]
    assert len(set(drawn)) == 12
    # No step's own.
    assert max(drawn) < 0


def test_newcomers_have_no_history_and_half_of_them_no_features_in_training_alone(world):
    def model_with(newcomers):
        tower = {"kind": "history", "blocks": 1, "dropout": 0.0, "newcomers": newcomers}
        towers = {"query_tower": tower, "candidate_tower": {"id_dropout": 0.0}}
        return worlds.assemble(world, worlds.settings(model=towers))

    model, reader, _ = model_with(0.999)
    batch = _batch(world, reader)
    whole, empty = float(model.compute_loss(batch)), batch._replace(positions=tf.zeros_like(batch.positions))
    nothing = {
        name: -tf.ones_like(column) if column.dtype.is_integer else tf.zeros_like(column)
        for name, column in batch.features.items()
    }
    without_history = float(model.compute_loss(empty))
    without_both = float(model.compute_loss(empty._replace(features=nothing)))
    steps = []
    for step in range(40):
        model.step.assign(step)
        steps.append(float(model.compute_loss(batch, training=True)))
    # All have lost their history; of the dozen targets of a step half have lost their features, too.
    assert np.mean(steps) == pytest.approx((without_history + without_both) / 2, abs=np.std(steps))
    assert min(steps) < max(steps)
    # Without newcomers, and where nobody happens to be one, training without dropout is what evaluation is.
    for nobody in (0.0, 1e-9):
        assert float(model_with(nobody)[0].compute_loss(batch, training=True)) == pytest.approx(whole, rel=1e-5)


def test_without_features_unseen_candidates_stay_negatives(world):
    def loss(mask_unseen):
        switches = {"kind": "corpus", "mask_other_targets": False, "mask_unseen_candidates": mask_unseen}
        settings = dataclasses.replace(worlds.settings(train={"loss": switches}), candidate_features={})
        model, reader, corpus = worlds.assemble(world, settings)
        assert (corpus.counts == 0).any()
        return float(model.compute_loss(_batch(world, reader)))

    assert loss(True) == loss(False)


def test_in_batch_loss_corrects_for_the_target_frequency(world):
    switches = {"kind": "in_batch", "temperature": 0.5, "remove_accidental_hits": False}
    settings = worlds.settings(model=_FEATURES_TOWER, train={"loss": switches})
    model, reader, corpus = worlds.assemble(world, settings)
    one_each = _first_targets(world, reader)
    targets = one_each.targets.numpy()[:, 0]
    candidates = model.embed_candidates().numpy()
    queries = model.embed_queries(one_each.features, tf.zeros([3, 0], tf.int32), candidates).numpy()
    frequency = corpus.counts / corpus.counts.sum()
    scores = queries @ candidates[targets].T / 0.5 - np.log(frequency[targets])
    expected = -np.diag(_log_softmax(scores)).mean()
    assert float(model.compute_loss(one_each)) == pytest.approx(expected, rel=1e-4)


def test_uniform_negatives_join_with_their_own_probability(world):
    switches = {"kind": "in_batch", "uniform_negatives": 4000, "remove_accidental_hits": False}
    settings = worlds.settings(model=_FEATURES_TOWER, train={"loss": switches})
    model, reader, corpus = worlds.assemble(world, settings)
    one_each = _first_targets(world, reader)
    targets = one_each.targets.numpy()[:, 0]
    candidates = model.embed_candidates().numpy()
    queries = model.embed_queries(one_each.features, tf.zeros([3, 0], tf.int32), candidates).numpy()
    # 4,000 draws of 20 candidates are nearly the whole catalogue 200 times over, the three targets hardly count.
    probability = (3 * corpus.counts / corpus.counts.sum() + 4000 / corpus.size) / 4003
    scores = queries @ candidates.T - np.log(probability)
    total = np.log(np.exp(scores).sum(axis=1) * 4000 / corpus.size)
    expected = (total - scores[np.arange(3), targets]).mean()
    assert float(model.compute_loss(one_each)) == pytest.approx(expected, rel=0.01)


def test_normalized_outputs_have_length_one(world):
    model, reader, _ = worlds.assemble(world, worlds.settings(model={"normalize": True}))
    candidates = model.embed_candidates()
    np.testing.assert_allclose(tf.norm(candidates, axis=1), np.ones(worlds.NUM_CANDIDATES), rtol=1e-5)
    batch = _batch(world, reader)
    queries = model.embed_queries(batch.features, batch.items, candidates)
    np.testing.assert_allclose(tf.norm(queries, axis=1), np.ones(3), rtol=1e-5)


def test_padding_adds_nothing_to_the_loss(trained, world):
    model, reader, _, _ = trained
    batch = _batch(world, reader)
    pad = [[0, 0], [0, 2]]
    padded = TrainBatch(
        features=batch.features,
        items=tf.pad(batch.items, pad, constant_values=-1),
        targets=tf.pad(batch.targets, pad, constant_values=-1),
        positions=tf.pad(batch.positions, pad),
        weights=tf.pad(batch.weights, pad),
        seen=tf.pad(batch.seen, pad, constant_values=-1),
        times=tf.pad(batch.times, pad),
        clock=tf.pad(batch.clock, pad),
    )
    assert float(model.compute_loss(padded)) == pytest.approx(float(model.compute_loss(batch)), rel=1e-5)


def test_our_ranks_agree_with_tfrs_where_nothing_ties(trained, world):
    model, reader, corpus, _ = trained
    batch = reader.eval_batch(tf.constant(worlds.read(world.windows["test"])))
    candidates = model.embed_candidates()
    queries = model.embed_queries(batch.features, batch.history, candidates)
    pairs = tf.data.Dataset.from_tensor_slices((tf.constant(corpus.ids, tf.string), candidates)).batch(7)
    ks = (1, 5, 10)
    metric = tfrs.metrics.FactorizedTopK(tfrs.layers.factorized_top_k.Streaming(k=10).index_from_dataset(pairs), ks)
    metric.update_state(queries, tf.gather(candidates, batch.target), tf.gather(tf.constant(corpus.ids), batch.target))
    with_seen = target_ranks(queries, candidates, batch.target, batch.seen)[1].numpy()
    assert [float(value) for value in metric.result()] == pytest.approx([(with_seen <= k).mean() for k in ks])


def test_a_query_without_features_or_history_tower_needs_neither(world):
    settings = worlds.settings(model=_FEATURES_TOWER)
    model, reader, _ = worlds.assemble(world, settings)
    features = _batch(world, reader).features
    alone = {keys.QUERY_ID: features[keys.QUERY_ID]}
    assert set(alone) < set(features)
    assert np.isfinite(model.embed_queries(features, tf.zeros([3, 0], tf.int32), model.embed_candidates())).all()


def test_a_corpus_loss_that_cannot_fit_is_refused():
    settings = worlds.settings(train={"batch_size": 1000})
    settings.check_fits(20)
    # 1,000 windows' masks of 7 bytes and 12 copies of 8 floats, each times 10 million.
    with pytest.raises(ConfigError, match=r"about 69 GiB for train\.batch_size=1000 windows .* in_batch"):
        settings.check_fits(10_000_000)
    worlds.settings(train={"batch_size": 64}).check_fits(10_000_000)
