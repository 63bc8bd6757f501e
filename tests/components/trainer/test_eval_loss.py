import numpy as np
import pytest
import tensorflow as tf

from components.trainer import dataset, eval_loss
from tests.components.trainer import tiny_dataset as worlds


def test_eval_loss_is_the_mean_cross_entropy_over_candidates_that_are_negatives(trained, world):
    model, reader, corpus, _ = trained
    [batch] = dataset.eval_batches(reader, world.windows["eval"], 64)
    candidates = model.embed_candidates()
    queries = model.embed_queries(batch.features, batch.history, candidates, batch.times, batch.clock)
    scores = queries.numpy().astype(np.float64) @ candidates.numpy().T
    losses = []
    for row, target in enumerate(batch.target.numpy()):
        # Neither other seen items nor candidates without train interactions are negatives.
        masked = {*batch.seen.numpy()[row], *np.flatnonzero(corpus.counts == 0)} - {target}
        counted = [scores[row, item] for item in range(corpus.size) if item not in masked]
        losses.append(np.log(np.exp(counted).sum()) - scores[row, target])
    # The size of a batch does not change the mean.
    for batch_size in (3, 64):
        batches = dataset.eval_batches(reader, world.windows["eval"], batch_size)
        assert eval_loss.EvalLoss(model, batches, batch_size).mean() == pytest.approx(np.mean(losses), rel=1e-5)


def test_no_more_rows_than_the_maximum_count(trained, world, monkeypatch):
    model, reader, _, _ = trained
    monkeypatch.setattr(eval_loss, "MAX_ROWS", 5)
    batches = dataset.eval_batches(reader, world.windows["eval"], 3)
    first_two = batches.take(2)
    limited = eval_loss.EvalLoss(model, batches, 3)
    assert limited.mean() == pytest.approx(eval_loss.EvalLoss(model, first_two, 1).mean(), rel=1e-6)


def test_targets_outside_of_the_corpus_do_not_count(trained, world):
    model, reader, _, _ = trained
    batches = dataset.eval_batches(reader, world.windows["eval"], 64)
    unknown = batches.map(lambda batch: batch._replace(target=-tf.ones_like(batch.target)))
    assert eval_loss.EvalLoss(model, unknown, 64).mean() is None


def test_in_batch_has_an_eval_loss_too(world):
    loss = {"kind": "in_batch", "uniform_negatives": 5}
    model, reader, _ = worlds.assemble(world, worlds.settings(train={"loss": loss}))
    batches = dataset.eval_batches(reader, world.windows["eval"], 8)
    found = eval_loss.EvalLoss(model, batches, 8)
    # Its negatives are drawn by seed and step: without a step in between the loss stays the same.
    assert found.mean() == found.mean() > 0
