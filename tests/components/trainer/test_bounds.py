"""Training with numbers at the bounds that the config accepts: it ends, whatever the model is worth."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.trainer import training
from shortlist import keys
from shortlist.config.section import MAX_SEED
from tests.components.trainer import tiny_dataset as worlds

HIGHEST = {
    "learning_rate": 10.0,
    "weight_decay": 10.0,
    "batch_size": 1_000_000,
    "patience": 100_000,
    "seed": MAX_SEED,
    "loss": {"kind": "corpus", "temperature": 0.001},
}
LOWEST = {
    "learning_rate": 1e-12,
    "batch_size": 1,
    "patience": 1,
    "seed": 1,
    "loss": {"kind": "corpus", "temperature": 1000.0, "parts": 1},
}
NEGATIVES = {
    "loss": {
        "kind": "in_batch",
        "temperature": 0.001,
        "uniform_negatives": 1_000_000,
        "num_hard_negatives": 1_000_000,
        "max_positions": 65_536,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("train", [HIGHEST, LOWEST, NEGATIVES], ids=["highest", "lowest", "negatives"])
def test_training_at_the_bounds_ends_with_ranks(world, tmp_path, train):
    settings = worlds.settings(train={"epochs": 1, "eval_every_epochs": 1, **train})
    model, reader, corpus = worlds.assemble(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    count = int(corpus.counts.sum())
    history = training.fit(model, reader, files, settings, count, str(tmp_path / "run"), str(tmp_path / "checkpoints"))
    assert len(history["log"]) == 1
    windows = tf.constant(worlds.read(world.windows["test"]))
    ranks = worlds.serving_module(world, model, reader, corpus, settings).evaluation(windows)[keys.RANK].numpy()
    # A diverged model hits nothing and is not blessed; that is an answer, too.
    assert (np.abs(ranks) >= 1).all()
