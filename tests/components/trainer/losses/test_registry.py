"""Registry of the losses: each loss of the config has a class, and a new loss is one more module."""

from __future__ import annotations

import dataclasses
import importlib
import pathlib
import sys
import typing
from typing import Annotated, Literal, Union

import numpy as np
import pydantic
import pytest

from components.trainer import losses, training
from components.trainer.losses import base
from shortlist import fingerprints
from shortlist.config.losses import CorpusLoss, InBatchLoss, Loss, LossSection
from shortlist.config.train import Train
from tests.components.trainer import tiny_dataset as worlds

THIRD = '''
"""Loss `pairwise`: each target against one candidate drawn uniformly."""

import tensorflow as tf

from components.trainer.batch import flat_targets
from components.trainer.losses.base import TrainingLoss
from components.trainer.noise import Noise


class Pairwise(TrainingLoss, kind="pairwise"):
    def compute(self, model, batch, noise, share=None):
        targets = flat_targets(batch)
        candidates = model.embed_candidates(noise=noise)
        queries = model.embed_targets(batch, targets, candidates, batch.items, noise)
        draw = (noise or Noise(self._settings.train.seed, model.step)).draw()
        drawn = tf.random.stateless_uniform(
            tf.shape(targets.rows), draw, maxval=model.corpus_size, dtype=tf.int32
        )
        others = tf.gather(candidates, drawn)
        margins = tf.reduce_sum(queries * (tf.gather(candidates, targets.rows) - others), axis=1)
        lost = tf.reduce_sum(targets.weights * tf.math.softplus(-self._section.scale * margins))
        return tf.math.divide_no_nan(lost, tf.reduce_sum(targets.weights))
'''


class PairwiseLoss(LossSection):
    """Config section of the third loss."""

    kind: Literal["pairwise"] = "pairwise"
    temperature: float = 1.0
    scale: float = 1.0

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a batch of more than 100 windows."""
        if batch_size > 100:
            raise ValueError("100 windows at most")


class TrainOfThree(Train):
    """The section `train` with one more loss."""

    loss: Annotated[Union[InBatchLoss, CorpusLoss, PairwiseLoss], pydantic.Field(discriminator="kind")]  # type: ignore[assignment]


@pytest.fixture
def third(tmp_path, monkeypatch):
    """Imports a third loss from a temporary file, as if it were in the folder of the losses."""
    (tmp_path / "pairwise.py").write_text(THIRD)
    monkeypatch.setattr(base, "_CLASSES", dict(base._CLASSES))
    monkeypatch.setattr(losses, "__path__", [*losses.__path__, str(tmp_path)])
    name = f"{losses.__name__}.pairwise"
    yield importlib.import_module(name)
    del sys.modules[name], losses.pairwise


def _settings(**train):
    loss = {"kind": "pairwise", "scale": 2.0}
    settings = worlds.settings(model={"query_tower": {"kind": "history", "blocks": 1}})
    values = {"epochs": 3, "batch_size": 8, "eval_every_epochs": 1, "learning_rate": 0.02, "loss": loss, **train}
    return dataclasses.replace(settings, train=TrainOfThree.model_validate(values))


def test_a_third_loss_is_one_file(third, world, tmp_path):
    settings = _settings()
    assert type(losses.make_loss(settings)) is third.Pairwise
    model, reader, corpus = worlds.assemble(world, settings)
    before = [weight.numpy() for weight in model.trainable_variables]
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    targets = int(corpus.counts.sum())
    history = training.fit(model, reader, files, settings, targets, str(tmp_path / "run"), str(tmp_path / "kept"))
    # Batches are whole windows, as for the corpus loss.
    assert history["steps"] == 3 * training.dataset.count_train_batches(files.train, worlds.settings(), targets)
    assert history["log"][-1]["loss"] < history["log"][0]["loss"]
    assert any(
        np.abs(weight.numpy() - old).max() > 1e-3 for weight, old in zip(model.trainable_variables, before, strict=True)
    )
    loss = losses.make_loss(settings)
    loss.check_fits(10_000_000)
    assert loss.count_clipped(corpus.counts) == 0


def test_a_third_loss_refuses_a_batch_size_by_its_section():
    with pytest.raises(pydantic.ValidationError, match="100 windows at most"):
        _settings(batch_size=101)


def test_every_loss_of_the_config_has_a_class():
    union, _ = typing.get_args(Loss)
    assert {section.model_fields["kind"].default for section in typing.get_args(union)} == set(base._CLASSES)


def test_the_cache_keys_cover_every_module_of_the_losses():
    files = pathlib.Path(losses.__file__).parent.glob("*.py")
    modules = {f"{losses.__name__}.{file.stem}" for file in files if file.stem != "__init__"}
    assert len(modules) >= len(base._CLASSES)
    for name in ("trainer.run_fn", "refit.refit_fn", "tuner.tuner_fn"):
        assert modules <= set(fingerprints.code_closure(f"components.{name}"))
