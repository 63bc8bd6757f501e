"""The `train` section: optimizer, schedule and early stopping."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.losses import CorpusLoss, Loss
from shortlist.config.section import Section


class Train(Section):
    """Training of the towers, with early stopping on the eval split."""

    loss: Loss = CorpusLoss()
    """The loss, which also decides the negatives."""

    epochs: int = pydantic.Field(60, ge=1)
    """Maximum number of passes over the train windows."""

    batch_size: int = pydantic.Field(64, ge=1)
    """Windows per batch with loss corpus; targets per batch with loss in_batch."""

    learning_rate: float = pydantic.Field(1e-3, gt=0.0)
    """Peak learning rate (AdamW)."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """Decay of the learning rate over the epochs, after the warm-up."""

    warmup_fraction: float = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Fraction of all steps in which the learning rate rises from zero to its peak."""

    weight_decay: float = pydantic.Field(0.0, ge=0.0)
    """Decoupled weight decay (AdamW)."""

    eval_every_epochs: int = pydantic.Field(2, ge=1)
    """Epochs between two evaluations on the eval split."""

    patience: int = pydantic.Field(5, ge=1)
    """Training stops after this many evaluations without a better eval NDCG@10. The best weights are used."""

    shuffle_ties: bool = False
    """Shuffle a query's train interactions with the same timestamp in each epoch. For logs with whole seconds or
    coarser times, where the file's order has no meaning; logs with finer times are refused. Eval and test rows keep
    the file's order. With `basket_mates`, baskets are always shuffled."""

    basket_mates: float = pydantic.Field(0.0, ge=0.0, le=1.0)
    """Fraction of train windows, redrawn each epoch, in which a target's history includes other rows of its own
    basket, in random order. Never in eval and test rows. Needs split leave_last_basket."""

    seed: int = 1
    """Seed of weights, shuffling, dropout and sampling."""

    refit: bool = False
    """Train a blessed model once more on all data, eval and test included, for its best number of steps. The refitted
    model is indexed and pushed. All metrics are still of the first model, because no data is left to measure the
    second."""

    @pydantic.model_validator(mode="after")
    def _check_batch_size(self) -> Train:
        self.loss.check_batch_size(self.batch_size)
        return self
