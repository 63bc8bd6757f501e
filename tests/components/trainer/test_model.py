import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.evaluator.ranks import target_ranks
from components.trainer.batch import TrainBatch
from components.trainer.noise import Noise
from shortlist import keys
from tests.components.trainer import tiny_dataset as worlds

_FEATURES_TOWER = {"query_tower": {"kind": "features"}, "embedding_dim": 8}


def _batch(world, reader):
    return reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:3]), worlds.SEED)


def _log_softmax(scores):
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def test_parts_and_steps_draw_noise_of_their_own():
    drawn = [int(Noise(1, tf.constant(step)).key_of_part(part, 3)) for step in range(4) for part in range(3)]
    assert len(set(drawn)) == 12
    # No key is equal to a step.
    assert max(drawn) < 0


def test_cold_start_targets_have_no_history_and_half_of_them_no_features_in_training_alone(world):
    def model_with(fraction):
        tower = {"kind": "history", "blocks": 1, "dropout": 0.0, "cold_start_fraction": fraction}
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
    # All targets lack their history, and about half of a step's dozen targets lack their features, too.
    assert np.mean(steps) == pytest.approx((without_history + without_both) / 2, abs=np.std(steps))
    assert min(steps) < max(steps)
    # Without dropout and without cold start targets, training and evaluation are equal.
    for nobody in (0.0, 1e-9):
        assert float(model_with(nobody)[0].compute_loss(batch, training=True)) == pytest.approx(whole, rel=1e-5)


def test_normalized_outputs_have_length_one(world):
    model, reader, _ = worlds.assemble(world, worlds.settings(model={"normalize": True}))
    candidates = model.embed_candidates()
    np.testing.assert_allclose(tf.norm(candidates, axis=1), np.ones(worlds.NUM_CANDIDATES), rtol=1e-5)
    batch = _batch(world, reader)
    queries = model.embed_queries(batch.features, batch.items, candidates)
    np.testing.assert_allclose(tf.norm(queries, axis=1), np.ones(3), rtol=1e-5)


def test_the_corpus_is_embedded_in_tiles(world, monkeypatch):
    model, _, _ = worlds.assemble(world, worlds.settings())
    # 20 candidates in tiles of 8, 8 and 4.
    monkeypatch.setattr("components.trainer.model.CORPUS_TILE", 8)
    np.testing.assert_allclose(model.embed_corpus(), model.embed_candidates(), rtol=1e-6)


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
