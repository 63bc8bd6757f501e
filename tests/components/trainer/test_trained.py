"""Trained models, from training to the exported ranks."""

import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer import training
from components.trainer.ranker import NDCG, TOP_10, Ranker
from shortlist import keys
from tests.components.trainer import tiny_dataset as worlds

_Trained = collections.namedtuple("_Trained", "model reader corpus settings before history")


def _fit(world, run_dir, settings):
    model, reader, corpus = worlds.assemble(world, settings)
    before = [weight.numpy() for weight in model.trainable_variables]
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    history = training.fit(
        model, reader, files, settings, int(corpus.counts.sum()), str(run_dir), f"{run_dir}/checkpoints"
    )
    return _Trained(model, reader, corpus, settings, before, history)


@pytest.fixture(
    scope="module",
    params=[
        {"kind": "in_batch", "uniform_negatives": 5},
        {"kind": "sampled", "uniform_negatives": 5, "in_batch_negatives": 5},
    ],
    ids=lambda loss: loss["kind"],
)
def trained_on_a_sample(request, world, tmp_path_factory):
    loss = request.param
    settings = worlds.settings(train={"loss": loss, "epochs": 3, "eval_every_epochs": 1, "learning_rate": 0.02})
    return _fit(world, tmp_path_factory.mktemp(loss["kind"]), settings)


def test_it_trains_every_weight_of_both_towers(trained_on_a_sample):
    model, before = trained_on_a_sample.model, trained_on_a_sample.before
    assert {
        id(weight) for tower in (model.query_tower, model.candidate_tower) for weight in tower.trainable_variables
    } == {id(weight) for weight in model.trainable_variables}
    still = [
        weight.name
        for weight, old in zip(model.trainable_variables, before, strict=True)
        if np.abs(weight.numpy() - old).max() < 1e-4
    ]
    assert still == []
    losses = [line["loss"] for line in trained_on_a_sample.history["log"]]
    assert losses[-1] < losses[0]


def test_exported_ranks_agree_with_id_based_factorized_top_k(trained_on_a_sample, world):
    model, reader, corpus, settings, *_ = trained_on_a_sample
    records = tf.constant(worlds.read(world.windows["test"]))
    module = worlds.serving_module(world, model, reader, corpus, settings)
    rank = module.evaluation(records)[keys.RANK_WITH_SEEN].numpy()
    batch = reader.eval_batch(records)
    candidates = module.candidate_embeddings.read_value()
    queries = model.embed_queries(batch.features, batch.history, candidates, batch.times, batch.clock)
    scores = np.sort(queries.numpy() @ candidates.numpy().T, axis=1)
    # The two definitions treat ties differently.
    assert np.diff(scores, axis=1).min() > 1e-6
    ids = tf.constant(corpus.ids, tf.string)
    catalogue = tf.data.Dataset.from_tensor_slices((ids, candidates)).batch(7)
    metric = tfrs.metrics.FactorizedTopK(catalogue, ks=(1, 5, 10))
    metric.update_state(queries, tf.gather(candidates, batch.target), tf.gather(ids, batch.target))
    expected = [np.mean(rank <= k) for k in (1, 5, 10)]
    assert [float(value) for value in metric.result()] == pytest.approx(expected, abs=1e-6)
    # The accuracies are neither all 0 nor all 1.
    assert 0 < expected[0] < expected[1] < expected[2] < 1


def test_early_stopping_leaves_the_best_weights_and_is_final(world, tmp_path, monkeypatch):
    settings = worlds.settings(train={"epochs": 9, "eval_every_epochs": 1, "patience": 2, "learning_rate": 0.01})
    figures = [0.1, 0.3, 0.3, 0.2]
    embeddings = []

    def evaluate(ranker):
        embeddings.append(ranker._model.embed_candidates().numpy())
        return {NDCG: figures[len(embeddings) - 1], TOP_10: 0.0}

    monkeypatch.setattr(Ranker, "evaluate", evaluate)
    model, *_, history = _fit(world, tmp_path, settings)
    # Epoch 3 equals the best and 4 is worse: two evaluations without a better one.
    assert (history["epochs"], history["best_epoch"], len(embeddings)) == (4, 2, 4)
    np.testing.assert_array_equal(model.embed_candidates(), embeddings[1])
    assert np.abs(embeddings[3] - embeddings[1]).max() > 1e-4
    # Early stopping is final: the same run, started again, trains no further.
    model, *_, again = _fit(world, tmp_path, settings)
    assert again == history
    assert len(embeddings) == 4
    np.testing.assert_array_equal(model.embed_candidates(), embeddings[1])
