"""The shares of several replicas add up to the loss of the whole batch, and so do their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from components.trainer import dataset
from components.trainer.losses import make_loss
from components.trainer.noise import Noise
from components.trainer.team import WHOLE, Share
from tests.components.trainer import tiny_dataset as worlds

_CASES = {
    "corpus": ({"kind": "corpus", "parts": 6}, worlds.WITH_DROPOUT),
    "sampled": (
        {"kind": "sampled", "parts": 6, "in_batch_negatives": 6, "uniform_negatives": 6, "num_hard_negatives": 5},
        worlds.WITH_DROPOUT,
    ),
    "in_batch": ({"kind": "in_batch"}, worlds.WITHOUT_DROPOUT),
    "in_batch, all of its switches": (
        {"kind": "in_batch", "uniform_negatives": 7, "num_hard_negatives": 4, "temperature": 0.5},
        worlds.WITHOUT_DROPOUT,
    ),
}


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("name", _CASES)
def test_shares_add_up_to_the_whole(world, name, replicas):
    loss_section, model_section = _CASES[name]
    # 10 targets in a batch of loss in_batch: no multiple of 3, and several of the same query and candidate.
    settings = worlds.settings(model=model_section, train={"loss": loss_section, "batch_size": 10})
    model, reader, _ = worlds.assemble(world, settings)
    worlds.shake(model)
    batch = next(iter(dataset.train_batches(reader, world.windows["train"], settings, 1, 1)))
    loss = make_loss(settings)

    def found(share):
        with tf.GradientTape() as tape:
            value = loss.compute(model, batch, Noise(settings.train.seed, model.step), share)
        gradients = tape.gradient(value, model.trainable_variables, unconnected_gradients="zero")
        return [value, *map(tf.convert_to_tensor, gradients)]

    whole = found(WHOLE)
    shares = [found(Share(number, replicas)) for number in range(replicas)]
    assert all(float(share[0]) < 0.9 * float(whole[0]) for share in shares)
    for expected, *parts in zip(whole, *shares, strict=True):
        np.testing.assert_allclose(sum(part.numpy() for part in parts), expected.numpy(), rtol=1e-4, atol=1e-6)
