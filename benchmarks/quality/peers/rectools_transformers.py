"""SASRec, eSASRec and HSTU of RecTools (PyTorch); the key `model` of a setting selects one.

eSASRec (https://arxiv.org/abs/2508.06450) is SASRec with LiGR layers and sampled softmax. One training gives a model
for each number of epochs in `stop_after`; the benchmark chooses among them on eval. An interrupted training goes on
after its last complete epoch.
"""

from __future__ import annotations

import pathlib
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.dataset.context import get_context
from rectools.models import HSTUModel, SASRecModel
from rectools.models.nn.transformers.base import TransformerLightningModule, TransformerModelBase
from rectools.models.nn.transformers.ligr import LiGRLayers
from rectools.models.rank.rank import Distance

from benchmarks.quality import exchange

_MODELS: Mapping[str, tuple[type[TransformerModelBase], Mapping[str, Any]]] = {
    "sasrec": (SASRecModel, {}),
    "esasrec": (SASRecModel, {"transformer_layers_type": LiGRLayers}),
    "hstu": (HSTUModel, {}),
}
_BATCH = 256


class FastLossModule(TransformerLightningModule):
    """Computes RecTools' losses with less work.

    Candidates are scored at the targets alone. RecTools also scores them at the padding, and drops the loss there: a
    session of Amazon Beauty has 7 targets and 43 positions of padding. The scores of sampled candidates are picked
    from a matrix of all scores, [targets, corpus]. RecTools multiplies each target with a copy of its candidates'
    embeddings, [targets, negatives, factors], which is larger on the data sets here.
    """

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Returns the loss of a batch."""
        is_target = batch["y"] != 0
        # [1, targets], since the losses expect sessions.
        targets, weights = (batch[name][is_target].unsqueeze(0) for name in ("y", "yw"))
        items = self.torch_model.item_model.get_all_embeddings()
        sessions = self.torch_model.encode_sessions(batch, items)[is_target].unsqueeze(0)
        scores = self.torch_model.similarity_module(sessions, items) / self.logits_t
        if self.requires_negatives(self.loss):
            negatives = batch["negatives"][is_target].unsqueeze(0)
            scores = scores.gather(-1, torch.cat([targets.unsqueeze(-1), negatives], dim=-1))
        return self.loss_calculator(scores, targets, weights)


class _Checkpoints(lightning.Callback):
    """Writes a checkpoint after each epoch, and the weights of the epochs to compare."""

    def __init__(self, folder: pathlib.Path, epochs: Sequence[int]) -> None:
        self.last = folder / "last.ckpt"
        self._folder = folder
        self._epochs = frozenset(epochs)
        self._seconds = 0.0
        self._since = time.monotonic()
        self._restored: torch.Tensor | None = None

    def weights(self, epoch: int) -> tuple[float, dict[str, Any]]:
        """Returns (seconds of training, weights) after an epoch."""
        return torch.load(self._path(epoch), weights_only=True)

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Called by the trainer."""
        self._since = time.monotonic()

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Called by the trainer; the batches of a later epoch than the first are drawn after it."""
        if self._restored is not None:
            torch.set_rng_state(self._restored)
            self._restored = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Called by the trainer."""
        now = time.monotonic()
        self._seconds, self._since = self._seconds + now - self._since, now
        epoch = trainer.current_epoch + 1
        if epoch in self._epochs:
            torch.save((self._seconds, module.state_dict()), self._path(epoch))
        part = self.last.with_suffix(".part")
        trainer.save_checkpoint(part)
        part.replace(self.last)
        print(f"epoch {epoch}: {self._seconds:.1f} s", flush=True)

    def state_dict(self) -> dict[str, Any]:
        """Returns the seconds so far and the state of the random numbers, for the checkpoint."""
        return {"seconds": self._seconds, "random": torch.get_rng_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` returned."""
        self._seconds, self._restored = state_dict["seconds"], state_dict["random"]

    def _path(self, epoch: int) -> pathlib.Path:
        return self._folder / f"epoch-{epoch:03}.pt"


class _ResumingTrainer(lightning.Trainer):
    """A trainer that goes on from the checkpoint, if there is one."""

    def fit(self, model: TransformerLightningModule, *loaders: Any) -> None:
        """Trains until the last epoch."""
        last = _checkpoints_of(self).last
        if not last.exists():
            super().fit(model, *loaders)
            return
        # RecTools draws the weights of a model that is not fitted when training starts, after they were restored.
        model.is_fitted = True
        super().fit(model, *loaders, ckpt_path=last)


def fit(
    split: exchange.Split, grid: Sequence[exchange.Setting], seed: int, folder: pathlib.Path
) -> Iterator[exchange.Fitted]:
    """Yields a model for each value of a setting's `stop_after`. A query is the latest items of its history."""
    warnings.filterwarnings("ignore")
    for number, setting in enumerate(grid):
        options = dict(setting)
        kind = options.pop("model")
        stops = sorted(options.pop("stop_after"))
        reads_times = bool(options.get("relative_time_attention"))
        model_class, defaults = _MODELS[kind]
        if options.pop("fast_loss", False):
            options["lightning_module_type"] = FastLossModule
        lightning.seed_everything(seed)
        checkpoints = folder / f"{number:03}"
        checkpoints.mkdir(parents=True, exist_ok=True)
        trainer = {"folder": str(checkpoints), "stops": stops}
        model = model_class(**defaults, **options, get_trainer_func=_trainer, get_trainer_func_kwargs=trainer)
        model.fit(_dataset(split.train, reads_times))
        # RecTools trains with a copy of the trainer, and so of its callbacks.
        written = _checkpoints_of(model.fit_trainer)
        targets = _targets(split.train, options["session_max_len"])
        for epochs in stops:
            seconds, weights = written.weights(epochs)

            def score(
                phase: str, model: TransformerModelBase = model, weights: Mapping[str, Any] = weights
            ) -> np.ndarray:
                model.lightning_model.load_state_dict(weights)
                return _scores(model, split, phase)

            chosen = {name: value for name, value in setting.items() if name != "stop_after"}
            yield exchange.Fitted({**chosen, "epochs": epochs}, seconds, score, epochs * targets)


def _trainer(folder: str, stops: Sequence[int]) -> lightning.Trainer:
    return _ResumingTrainer(
        max_epochs=stops[-1],
        min_epochs=stops[-1],
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[_Checkpoints(pathlib.Path(folder), stops)],
    )


def _checkpoints_of(trainer: lightning.Trainer) -> _Checkpoints:
    [found] = [callback for callback in trainer.callbacks if isinstance(callback, _Checkpoints)]
    return found


def _dataset(rows: exchange.Rows, reads_times: bool) -> Dataset:
    """Returns RecTools' table of interactions, which it sorts by time and then by row.

    A model that reads no times gets the row's number as its time, since the order alone counts.
    """
    seconds = rows.time if reads_times else np.arange(len(rows.query))
    table = {
        Columns.User: rows.query,
        Columns.Item: rows.candidate,
        Columns.Weight: 1.0,
        Columns.Datetime: pd.to_datetime(seconds, unit="s"),
    }
    return Dataset.construct(pd.DataFrame(table))


def _targets(rows: exchange.Rows, session_max_len: int) -> int:
    """Returns the number of targets per epoch: each query's latest interactions except for the first of them."""
    return int(np.minimum(np.bincount(rows.query), session_max_len + 1).clip(min=1).sum() - rows.query.max() - 1)


def _scores(model: TransformerModelBase, split: exchange.Split, phase: str) -> np.ndarray:
    """Returns [queries, corpus] scores; a candidate in no train session has the lowest score.

    They are those of `recommend`, without its table of a row per query and candidate. A model with time attention gets
    the time of each query's target.
    """
    reads_times = model.require_recommend_context
    queries, context = split.queries(phase), None
    if reads_times:
        targets = getattr(split, phase)
        times = {Columns.User: targets.query, Columns.Datetime: pd.to_datetime(targets.time, unit="s")}
        context = get_context(pd.DataFrame(times))
    history = _dataset(split.history(phase), reads_times)
    prepared = model.data_preparator.transform_dataset_u2i(history, queries, context)
    loader = model.data_preparator.get_dataloader_recommend(prepared, _BATCH)
    module, similarity = model.lightning_model, model.torch_model.similarity_module
    sessions, items = module._get_user_item_embeddings(loader, "cpu")
    if similarity.distance == Distance.COSINE:
        sessions, items = (similarity._get_embeddings_norm(embeddings) for embeddings in (sessions, items))
    known = model.data_preparator.get_known_items_sorted_internal_ids()
    columns = model.data_preparator.get_known_item_ids().astype(int)
    rows = np.searchsorted(queries, prepared.user_id_map.external_ids.astype(int))
    scores = np.full((len(queries), split.num_candidates), exchange.LOWEST, np.float32)
    scores[np.ix_(rows, columns)] = (sessions @ items[known].T).numpy()
    return scores


if __name__ == "__main__":
    exchange.main(fit, "rectools", "torch", "pytorch-lightning", resumes=True)
