"""SASRec of RecTools (PyTorch) with its own defaults: softmax over the corpus, Adam at a constant learning rate.

One training gives a model for each number of epochs in `stop_after`; the benchmark chooses among them on eval.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from benchmarks.quality import exchange

# `recommend` returns a table with a row per query and candidate; this bounds its memory.
_QUERIES_AT_ONCE = 500


class _Snapshots(lightning.Callback):
    """Copies the weights after some epochs, with the seconds of training until then."""

    def __init__(self, epochs: Sequence[int]) -> None:
        self._epochs = frozenset(epochs)
        self._start = time.monotonic()
        self.by_epoch: dict[int, tuple[float, dict[str, Any]]] = {}

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Called by the trainer."""
        epoch = trainer.current_epoch + 1
        if epoch in self._epochs:
            self.by_epoch[epoch] = (time.monotonic() - self._start, copy.deepcopy(module.state_dict()))
            print(f"epoch {epoch}: {self.by_epoch[epoch][0]:.1f} s", flush=True)


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields a model for each value of a setting's `stop_after`. A query is the latest items of its history."""
    warnings.filterwarnings("ignore")
    train = _dataset(split.train)
    for setting in grid:
        options = dict(setting)
        stops = sorted(options.pop("stop_after"))
        lightning.seed_everything(seed)
        snapshots = _Snapshots(stops)

        def trainer(snapshots: _Snapshots = snapshots, epochs: int = stops[-1]) -> lightning.Trainer:
            return lightning.Trainer(
                max_epochs=epochs,
                min_epochs=epochs,
                accelerator="cpu",
                devices=1,
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                enable_checkpointing=False,
                callbacks=[snapshots],
            )

        model = SASRecModel(**options, get_trainer_func=trainer)
        model.fit(train)
        # RecTools trains with a copy of the trainer, and so of its callbacks.
        [snapshots] = [callback for callback in model.fit_trainer.callbacks if isinstance(callback, _Snapshots)]
        targets = _targets(split.train, options["session_max_len"])
        for epochs in stops:
            seconds, weights = snapshots.by_epoch[epochs]

            def score(phase: str, model: SASRecModel = model, weights: dict[str, Any] = weights) -> np.ndarray:
                model.lightning_model.load_state_dict(weights)
                return _scores(model, split, phase)

            yield exchange.Fitted({**options, "epochs": epochs}, seconds, score, epochs * targets)


def _dataset(rows: exchange.Rows) -> Dataset:
    """Returns RecTools' table of interactions. The row number replaces the time, so that ties keep their order."""
    table = {
        Columns.User: rows.query,
        Columns.Item: rows.candidate,
        Columns.Weight: 1.0,
        Columns.Datetime: pd.Timestamp(0) + pd.to_timedelta(np.arange(len(rows.query)), unit="s"),
    }
    return Dataset.construct(pd.DataFrame(table))


def _targets(rows: exchange.Rows, session_max_len: int) -> int:
    """Returns the number of targets per epoch: each query's latest interactions except for the first of them."""
    return int(np.minimum(np.bincount(rows.query), session_max_len + 1).clip(min=1).sum() - rows.query.max() - 1)


def _scores(model: SASRecModel, split: exchange.Split, phase: str) -> np.ndarray:
    """Returns [queries, corpus] scores; a candidate in no train session has the lowest score."""
    history = _dataset(split.history(phase))
    queries = split.queries(phase)
    scores = np.full((len(queries), split.num_candidates), exchange.LOWEST, np.float32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        block = queries[start : start + _QUERIES_AT_ONCE]
        answers = model.recommend(
            block,
            history,
            k=split.num_candidates,
            filter_viewed=False,
            add_rank_col=False,
            on_unsupported_targets="ignore",
        )
        rows = start + np.searchsorted(block, answers[Columns.User])
        scores[rows, answers[Columns.Item]] = answers[Columns.Score]
    return scores


if __name__ == "__main__":
    exchange.main(fit, "rectools", "torch", "pytorch-lightning")
