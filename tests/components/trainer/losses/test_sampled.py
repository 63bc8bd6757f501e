"""The sampled loss: equal to the corpus loss where all candidates are negatives, and its formula by hand elsewhere."""

import math

import numpy as np
import pytest
import tensorflow as tf

from components.trainer import dataset
from components.trainer.eval_loss import train_batch
from components.trainer.losses import make_loss, sampled_negatives
from components.trainer.noise import Noise
from shortlist import keys
from shortlist.errors import ConfigError
from tests.components.trainer import tiny_dataset as worlds
from tests.components.trainer.losses import by_hand


def _with_gradients(world, loss, **batch_changes):
    model, reader, _ = by_hand.model(world, loss)
    worlds.shake(model)
    batch = by_hand.batch(reader, world)._replace(**batch_changes)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    gradients = tape.gradient(loss, model.trainable_variables)
    return float(loss), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize(("mask", "unseen"), [(True, False), (False, True)])
def test_with_all_candidates_as_negatives_it_is_the_corpus_loss(world, mask, unseen):
    switches = {"mask_other_targets": mask, "mask_unseen_candidates": unseen, "temperature": 0.5}
    sizes = {"in_batch_negatives": 0, "uniform_negatives": worlds.NUM_CANDIDATES, "parts": 3}
    loss, gradients = _with_gradients(world, {"kind": "sampled", **sizes, **switches})
    wanted, wanted_gradients = _with_gradients(world, {"kind": "corpus", **switches})
    assert loss == pytest.approx(wanted, rel=1e-5)
    for mine, other in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize(("mask", "logq", "hardest"), [(True, True, None), (False, True, 2), (True, False, None)])
def test_the_loss_is_the_formula(world, mask, logq, hardest):
    sizes = {"in_batch_negatives": 5, "uniform_negatives": 4, "num_hard_negatives": hardest}
    loss = {"kind": "sampled", "temperature": 0.3, "mask_other_targets": mask, "logq": logq, **sizes}
    model, reader, corpus = by_hand.model(world, loss)
    batch = by_hand.batch(reader, world)
    rows = list(by_hand.rows(model, batch))
    targets = np.array([target for _, _, target, _ in rows])
    trained = np.flatnonzero(corpus.counts)
    noise = Noise(1, tf.constant(0))
    some = targets[sampled_negatives.draw_spread(5, len(targets), noise).numpy()]
    uniform = trained[sampled_negatives.draw_spread(4, len(trained), noise).numpy()]
    # The candidate that no interaction has is no negative, as in the corpus loss.
    assert len(trained) == worlds.NUM_CANDIDATES - 1
    candidates = model.embed_candidates().numpy()
    frequencies = corpus.counts / corpus.counts.sum()
    query_ids = batch.features[keys.QUERY_ID].numpy()[:, 0]
    total = 0.0
    for window, query, target, weight in rows:
        others = sum(query_ids[other] != query_ids[window] for other, *_ in rows)
        in_batch = 5 * others / len(rows) if mask else 5
        terms = []
        for negative in set(some) | set(uniform):
            if negative == target or (mask and negative in batch.seen[window].numpy()):
                continue
            count = np.sum(some == negative) + np.sum(uniform == negative)
            expected = in_batch * frequencies[negative] + 4 / len(trained) if logq else 1.0
            terms.append(count / expected * np.exp((candidates[negative] - candidates[target]) @ query / 0.3))
        total += weight * math.log(1 + sum(sorted(terms)[-(hardest or len(terms)) :]))
    expected_loss = total / sum(weight for *_, weight in rows)
    assert float(model.compute_loss(batch)) == pytest.approx(expected_loss, rel=1e-4)
    assert float(model.compute_loss(batch._replace(weights=tf.zeros_like(batch.weights)))) == 0.0


def test_a_target_that_is_not_among_the_seen_is_no_negative(world):
    """In eval windows, `seen` has the query's past alone."""
    model, reader, corpus = by_hand.model(
        world, {"kind": "sampled", "in_batch_negatives": 0, "uniform_negatives": worlds.NUM_CANDIDATES}
    )
    batch = train_batch(reader.eval_batch(tf.constant(worlds.read(world.windows["eval"])[:2])))
    rows, log_weights = make_loss(worlds.settings(train={"loss": {"kind": "sampled"}})).negatives(
        model, batch, Noise(1, tf.constant(0))
    )
    for window in range(2):
        negatives = set(rows.numpy()[log_weights[window].numpy() > -100])
        past = {row for row in batch.seen[window].numpy() if row >= 0}
        target = int(batch.targets[window, 0])
        assert target not in past
        assert negatives == set(np.flatnonzero(corpus.counts)) - past - {target}


def test_the_negatives_estimate_the_sum_over_the_catalogue(world):
    """The mean over 400 draws of the weighted sum of exp(score) is that over all candidates."""
    loss = {"kind": "sampled", "in_batch_negatives": 0, "uniform_negatives": 5}
    model, reader, corpus = by_hand.model(world, loss)
    batch = by_hand.batch(reader, world)
    task = make_loss(worlds.settings(train={"loss": loss}))
    values = np.exp(np.arange(corpus.size) / 10.0)
    draw = tf.function(lambda step: task.negatives(model, batch, Noise(1, step)))
    sums = []
    for step in range(400):
        rows, log_weights = draw(tf.constant(step))
        sums.append(np.sum(np.exp(log_weights[0]) * values[rows.numpy()]))
    seen = batch.seen[0].numpy()
    wanted = sum(values[row] for row in range(corpus.size) if corpus.counts[row] and row not in seen)
    assert np.mean(sums) == pytest.approx(wanted, abs=4 * np.std(sums) / math.sqrt(400))


def test_a_step_embeds_only_the_candidates_that_it_names(world, monkeypatch):
    model, reader, corpus = by_hand.model(world, {"kind": "sampled", "in_batch_negatives": 2, "uniform_negatives": 2})
    batch = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:1]), worlds.SEED)
    embedded = []
    embed = model.embed_candidates
    monkeypatch.setattr(model, "embed_candidates", lambda rows, noise: embedded.append(rows) or embed(rows, noise))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    [rows] = embedded
    in_window = {int(row) for row in np.concatenate([*batch.items.numpy(), *batch.targets.numpy()]) if row >= 0}
    assert in_window <= set(rows.numpy())
    assert len(rows) == len(set(rows.numpy())) <= len(in_window) + 2 < corpus.size
    for gradient, table in zip(tape.gradient(loss, model.tables), model.tables, strict=True):
        assert isinstance(gradient, tf.IndexedSlices), table.name


def test_an_epoch_has_each_target_once(world, trained):
    settings = worlds.settings(train={"loss": {"kind": "sampled"}})
    batches = list(dataset.train_batches(trained[1], world.windows["train"], settings, 1, 1))
    assert len(batches) == dataset.count_train_batches(world.windows["train"], settings, 180)
    assert sum(int(tf.reduce_sum(tf.cast(batch.targets >= 0, tf.int32))) for batch in batches) == 180


def test_a_step_that_cannot_fit_is_refused():
    sizes = {"in_batch_negatives": 1_000, "uniform_negatives": 1_000_000}
    loss = make_loss(worlds.settings(train={"batch_size": 2000, "loss": {"kind": "sampled", **sizes}}))
    # Of a small catalogue at most all candidates are drawn.
    loss.check_fits(20)
    # Masks of 10 bytes for 2,000 windows and 1,001,000 negatives: 18.6 GiB; 5 copies of 8 floats are 0.15 GiB.
    with pytest.raises(ConfigError, match=r"about 19 GiB for 1,000,000 candidates .* 1,001,000 negatives"):
        loss.check_fits(1_000_000)
    # 5 copies of 8 floats for 200 million candidates: 29.8 GiB.
    with pytest.raises(ConfigError, match=r"about 30 GiB for 200,000,000 .* lower model\.embedding_dim"):
        make_loss(worlds.settings(train={"batch_size": 8, "loss": {"kind": "sampled"}})).check_fits(200_000_000)


def test_no_probability_is_clipped():
    assert make_loss(worlds.settings(train={"loss": {"kind": "sampled"}})).count_clipped(np.array([1, 10_000_000])) == 0
