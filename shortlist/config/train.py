"""The `train` section: optimizer, schedule and early stopping."""

from __future__ import annotations

from typing import Literal

import pydantic

from shortlist.config.losses import CorpusLoss, Loss
from shortlist.config.section import Number, Section, Seed, Whole

# Smaller rates change no float32 weight; larger ones diverge in the first steps.
MIN_LEARNING_RATE, MAX_LEARNING_RATE = 1e-12, 10.0


STRATEGY_KEYS = ("strategy", "workers", "worker_timeout_seconds")
"""Settings of `Train` that change where it runs, and no result but by rounding."""


class Train(Section):
    """Training of the towers, with early stopping on the eval split."""

    loss: Loss = CorpusLoss()
    """The loss, which also decides the negatives."""

    epochs: Whole = pydantic.Field(60, ge=1, le=100_000)
    """Maximum number of passes over the train windows."""

    batch_size: Whole = pydantic.Field(64, ge=1, le=1_000_000)
    """Windows per batch with losses corpus and sampled; targets per batch with loss in_batch."""

    learning_rate: Number = pydantic.Field(1e-3, ge=MIN_LEARNING_RATE, le=MAX_LEARNING_RATE)
    """Peak learning rate (AdamW)."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """Decay of the learning rate over the epochs, after the warm-up."""

    warmup_fraction: Number = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Fraction of all steps in which the learning rate rises from zero to its peak."""

    weight_decay: Number = pydantic.Field(0.0, ge=0.0, le=10.0)
    """Decoupled weight decay (AdamW)."""

    eval_every_epochs: Whole = pydantic.Field(2, ge=1, le=100_000)
    """Epochs between two evaluations on the eval split."""

    patience: Whole = pydantic.Field(5, ge=1, le=100_000)
    """Training stops after this many evaluations without a better eval NDCG@10. The best weights are used."""

    eval_rows: Whole = pydantic.Field(100_000, ge=1, le=1_000_000_000)
    """Maximum number of eval rows that early stopping ranks. The sample is the same in all evaluations and trainings.
    The verdict is on all test rows."""

    shuffle_ties: bool = False
    """Shuffle a query's train interactions with the same timestamp in each epoch. For logs with whole seconds or
    coarser times, where the file's order has no meaning; logs with finer times are refused. Eval and test rows keep
    the file's order. With `basket_mates`, baskets are always shuffled."""

    basket_mates: Number = pydantic.Field(0.0, ge=0.0, le=1.0)
    """Fraction of train windows, redrawn each epoch, in which a target's history includes other rows of its own
    basket, in random order. Never in eval and test rows. Needs split leave_last_basket."""

    seed: Seed = 1
    """Seed of weights, shuffling, dropout and sampling."""

    refit: bool = False
    """Train a blessed model once more on all data, eval and test included, for its best number of steps. The refitted
    model is indexed and pushed. All metrics are still of the first model, because no data is left to measure the
    second."""

    strategy: Literal["none", "mirrored", "multi_worker"] = "none"
    """`mirrored`: all GPUs of one machine. `multi_worker`: several processes, on this machine or, with the variable
    TF_CONFIG, on several. Each computes a share of every batch, so that the model is that of one process, apart from
    rounding (and random numbers with loss in_batch). `tune` and `ablate` train in one process."""

    workers: Whole = pydantic.Field(2, ge=2, le=256)
    """Number of processes of strategy `multi_worker`, the chief included."""

    worker_timeout_seconds: Number = pydantic.Field(300.0, ge=1.0, le=86_400.0)
    """Time in which each worker must answer at its address when a run or a training starts."""

    warm_start: Literal["latest_blessed"] | None = None
    """`latest_blessed` begins from the weights of the latest blessed model that was trained on other data, instead of
    random ones. Refused if that model was trained on today's test rows, or if its shapes differ. By default, and in a
    run with `--tune`, training starts from scratch."""

    warm_start_epochs: Whole | None = pydantic.Field(None, ge=1, le=100_000)
    """Maximum number of passes from a warm start; the schedule decays over as many. Default: a third of `epochs`,
    rounded up. A run without a model to start from has `epochs`."""

    @property
    def from_warm_start(self) -> Train:
        """These settings with the number of epochs from a warm start."""
        return self.model_copy(update={"epochs": self.warm_start_epochs or -(-self.epochs // 3)})

    @pydantic.model_validator(mode="after")
    def _check_batch_size(self) -> Train:
        self.loss.check_batch_size(self.batch_size)
        return self

    @pydantic.model_validator(mode="after")
    def _check_workers(self) -> Train:
        if self.strategy != "none" and self.warm_start:
            raise ValueError(
                f"train.warm_start is for one process, train.strategy is {self.strategy}: several would begin from "
                "random weights; remove one of them"
            )
        if self.strategy == "multi_worker":
            self.loss.check_replicas(self.workers)
            if self.batch_size < self.workers:
                raise ValueError(
                    f"train.batch_size {self.batch_size} is less than train.workers {self.workers}, each of which "
                    "computes a part of every batch; raise the first or lower the second"
                )
        return self
