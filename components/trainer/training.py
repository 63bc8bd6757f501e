"""The training loop: AdamW, early stopping on eval NDCG@10, checkpoints to resume from, progress on disk."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.evaluator.ranks import target_ranks
from components.trainer import dataset
from components.trainer.dataset import EvalBatch, WindowReader
from components.trainer.model import RetrievalModel, TrainBatch
from components.trainer.settings import Settings
from shortlist.config import types

PROGRESS_FILE = "progress.jsonl"
NDCG = "ndcg_at_10"
TOP_10 = "top_10"
_CUTOFF = 10


class WarmUpSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from zero, then stays or falls to zero along half a cosine."""

    def __init__(self, peak: float, warm_up_steps: int, total_steps: int, cosine: bool) -> None:
        """Takes steps, not epochs."""
        super().__init__()
        self._peak = peak
        self._warm_up_steps = warm_up_steps
        self._total_steps = total_steps
        self._cosine = cosine

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        rising = (step + 1.0) / max(self._warm_up_steps, 1)
        done = (step - self._warm_up_steps) / max(self._total_steps - self._warm_up_steps, 1)
        after = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0))) if self._cosine else 1.0
        return self._peak * tf.minimum(rising, 1.0) * after


@dataclasses.dataclass(frozen=True)
class Files:
    """gz TFRecord files of the windows."""

    train: Sequence[str]
    eval: Sequence[str]


def evaluate(model: RetrievalModel, batches: tf.data.Dataset) -> dict[str, float | None]:
    """Returns NDCG@10 and the share of targets in the top 10, seen items excluded, over the whole corpus.

    With one relevant candidate at rank r, NDCG@10 is 1 / log2(1 + r) for r up to 10, else 0. Both are None where the
    split has no rows.
    """
    ranks = _rank_function(model, batches)
    candidates = model.embed_candidates()
    counts = gains = hits = 0.0
    for batch in batches:
        rank = tf.cast(ranks(batch, candidates), tf.float32)
        inside = rank <= _CUTOFF
        counts += float(tf.size(rank))
        hits += float(tf.reduce_sum(tf.cast(inside, tf.float32)))
        gains += float(tf.reduce_sum(tf.where(inside, math.log(2.0) / tf.math.log(1.0 + rank), 0.0)))
    return {NDCG: gains / counts, TOP_10: hits / counts} if counts else {NDCG: None, TOP_10: None}


def _rank_function(model: RetrievalModel, batches: tf.data.Dataset) -> Any:
    @tf.function(input_signature=[batches.element_spec, tf.TensorSpec([None, None], tf.float32)])
    def ranks(batch: EvalBatch, candidates: tf.Tensor) -> tf.Tensor:
        queries = model.embed_queries(batch.features, batch.history, candidates)
        return target_ranks(queries, candidates, batch.target, batch.seen)[0]

    return ranks


def fit(
    model: RetrievalModel,
    reader: WindowReader,
    files: Files,
    settings: Settings,
    num_targets: int,
    run_dir: str,
    identity: str,
) -> dict[str, Any]:
    """Trains the model in place and leaves it with its best weights.

    Weights are best by eval NDCG@10, seen items excluded. A checkpoint is written at each evaluation; one that
    is there already for the same `identity` is resumed from, and the run goes on as if it had never stopped.

    Args:
      model: Fresh.
      reader: Parses the windows.
      files: Train and eval windows.
      settings: The train section.
      num_targets: Train targets in all windows.
      run_dir: For checkpoints, TensorBoard logs and `progress.jsonl`, one line an evaluation.
      identity: Names settings and data; another one's checkpoints are not touched.

    Returns:
      `epochs`, `steps`, `best_epoch`, `best_ndcg_at_10`, `best_top_10`, `seconds` and `log`, the lines of
      `progress.jsonl`.
    """
    train = settings.train
    steps_per_epoch = dataset.count_train_batches(files.train, settings, num_targets)
    optimizer = make_optimizer(model, train, steps_per_epoch * train.epochs)
    state = _RunState(model, optimizer, run_dir, identity)
    eval_batches = dataset.eval_batches(reader, files.eval)
    train_batches = dataset.train_batches(reader, files.train, settings, state.epoch + 1, train.epochs)
    step = _step_function(model, optimizer, train_batches.element_spec)
    started = time.monotonic() - state.seconds
    losses: list[float] = []
    with tf.summary.create_file_writer(os.path.join(run_dir, "logs")).as_default():
        batches = iter(train_batches)
        for epoch in range(state.epoch + 1, train.epochs + 1):
            if state.stale >= train.patience:
                break
            losses.append(sum(step(next(batches)) for _ in range(steps_per_epoch)).numpy() / steps_per_epoch)
            if epoch % train.eval_every_epochs and epoch < train.epochs:
                continue
            state.record(
                {
                    "epoch": epoch,
                    "step": int(model.step.numpy()),
                    "loss": float(np.mean(losses)),
                    "learning_rate": float(optimizer.learning_rate.numpy()),
                    **evaluate(model, eval_batches),
                    "seconds": round(time.monotonic() - started, 3),
                }
            )
            losses.clear()
    return state.finish()


def make_optimizer(model: RetrievalModel, train: types.Train, total_steps: int) -> tf.keras.optimizers.Optimizer:
    """Returns AdamW with its schedule; biases and norms, the vectors among the weights, do not decay."""
    schedule = WarmUpSchedule(
        train.learning_rate, round(train.warmup_fraction * total_steps), total_steps, train.schedule == "cosine"
    )
    optimizer = tf.keras.optimizers.AdamW(schedule, weight_decay=train.weight_decay)
    optimizer.exclude_from_weight_decay(
        var_list=[weight for weight in model.trainable_variables if weight.shape.rank < 2]
    )
    optimizer.build(model.trainable_variables)
    return optimizer


class _RunState:
    """What a run must remember to go on after a stop: weights, best weights and how far it was."""

    def __init__(self, model: RetrievalModel, optimizer: tf.keras.optimizers.Optimizer, run_dir: str, identity: str):
        folder = os.path.join(run_dir, "checkpoints", identity)
        tf.io.gfile.makedirs(run_dir)
        self._progress_path = os.path.join(run_dir, PROGRESS_FILE)
        # The log is part of the checkpoint, so that the two can never disagree.
        self._saved_log = tf.Variable("[]", trainable=False)
        self._latest = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model, optimizer=optimizer, log=self._saved_log),
            os.path.join(folder, "latest"),
            max_to_keep=1,
        )
        self._best = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model), os.path.join(folder, "best"), max_to_keep=1
        )
        self._latest.restore_or_initialize()
        self.log: list[dict[str, Any]] = json.loads(self._saved_log.numpy())
        self._write_progress()

    @property
    def epoch(self) -> int:
        """The last epoch that was trained and evaluated."""
        return self.log[-1]["epoch"] if self.log else 0

    @property
    def best(self) -> Any:
        """The log's best line, the earliest of equals; the latest where eval has no rows to compare by."""
        if self.log and self.log[-1][NDCG] is None:
            return self.log[-1]
        return max(self.log, key=lambda line: line[NDCG], default=None)

    @property
    def stale(self) -> int:
        """Evaluations since the best one."""
        return len(self.log) - 1 - self.log.index(self.best) if self.log else 0

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation so far."""
        return self.log[-1]["seconds"] if self.log else 0.0

    def record(self, line: dict[str, Any]) -> None:
        """Saves the weights after an evaluation; as the best ones too where they are."""
        self.log.append(line)
        if self.stale == 0:
            self._best.save(line["epoch"])
        self._saved_log.assign(json.dumps(self.log))
        self._latest.save(line["epoch"])
        self._write_progress()
        for name in ("loss", NDCG, TOP_10, "learning_rate"):
            if line[name] is not None:
                tf.summary.scalar(name, line[name], step=line["epoch"])

    def finish(self) -> dict[str, Any]:
        """Restores the best weights and returns the summary of the run."""
        self._best.checkpoint.restore(self._best.latest_checkpoint).assert_existing_objects_matched()
        return {
            "epochs": self.epoch,
            "steps": self.log[-1]["step"],
            "best_epoch": self.best["epoch"],
            f"best_{NDCG}": self.best[NDCG],
            f"best_{TOP_10}": self.best[TOP_10],
            "seconds": self.seconds,
            "log": self.log,
        }

    def _write_progress(self) -> None:
        with tf.io.gfile.GFile(self._progress_path, "w") as file:
            file.write("".join(json.dumps(line) + "\n" for line in self.log))


def _step_function(model: RetrievalModel, optimizer: tf.keras.optimizers.Optimizer, batch_spec: Any) -> Any:
    @tf.function(input_signature=[batch_spec])
    def step(batch: TrainBatch) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        model.step.assign_add(1)
        return loss

    return step
