"""The `train` section: optimizer, schedule and early stopping."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.losses import CorpusLoss, Loss
from shortlist.config.section import Section


class Train(Section):
    """How the towers are trained; early stopping watches eval."""

    loss: Loss = CorpusLoss()

    epochs: int = pydantic.Field(60, ge=1)
    """Most passes over the train windows."""

    batch_size: int = pydantic.Field(64, ge=1)
    """Windows a batch with loss corpus; single targets with loss in_batch."""

    learning_rate: float = pydantic.Field(1e-3, gt=0.0)
    """Peak learning rate (AdamW)."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """How the rate goes down over the epochs, after a warm-up."""

    warmup_fraction: float = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Share of all steps in which the rate rises from zero."""

    weight_decay: float = pydantic.Field(0.0, ge=0.0)
    """Decoupled weight decay (AdamW)."""

    eval_every_epochs: int = pydantic.Field(2, ge=1)
    """How often eval is ranked while training."""

    patience: int = pydantic.Field(5, ge=1)
    """Evaluations without a better eval NDCG@10 after which training stops; the best weights are kept."""

    shuffle_ties: bool = False
    """Put train interactions of one query in one second into another random order in each epoch: for logs whose times
    are whole seconds or coarser, where the file's order says nothing; others are refused. Eval and test rows keep the
    file's order. With `basket_mates`, baskets are shuffled anyway."""

    basket_mates: float = pydantic.Field(0.0, ge=0.0, le=1.0)
    """Share of train windows, others in each epoch, in which a target also looks back on rows of its own basket, in
    random order; split leave_last_basket only. Eval and test rows never do."""

    seed: int = 1
    """Seeds weights, shuffling, dropout and sampling."""

    refit: bool = False
    """Train a blessed model's recipe once more before it is indexed, on everything, eval and test included, for the
    steps that were best. All figures stay those of the model that was measured: nothing is left to measure it on."""

    @pydantic.model_validator(mode="after")
    def _batch_fits(self) -> Train:
        self.loss.check_batch_size(self.batch_size)
        return self
