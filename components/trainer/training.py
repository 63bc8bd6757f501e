"""The training loop: AdamW, early stopping on eval NDCG@10, checkpoints to resume from, progress on disk."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import functools
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.evaluator import rank_metrics
from components.evaluator.ranks import target_ranks
from components.graph import graph_function
from components.trainer import dataset
from components.trainer.batch import TrainBatch
from components.trainer.checkpoints import Checkpoints
from components.trainer.dataset import EvalBatch, WindowReader
from components.trainer.eval_loss import EvalLoss
from components.trainer.losses import make_loss
from components.trainer.model import RetrievalModel
from components.trainer.optimizer import Optimizer
from components.trainer.row_sample import sample_rows
from components.trainer.settings import Settings
from components.trainer.team import ALONE, Share, Team
from shortlist.process import progress

PROGRESS_FILE = "progress.jsonl"
NDCG = "ndcg_at_10"
TOP_10 = "top_10"
EVAL_LOSS = "eval_loss"
SAVE_EVERY_SECONDS = 300.0
_CUTOFF = 10  # the K of NDCG@K and HR@K
_NOT_EVALUATED: dict[str, float | None] = {NDCG: None, TOP_10: None}


@dataclasses.dataclass(frozen=True)
class Files:
    """gz TFRecord files of the windows."""

    train: Sequence[str]
    eval: Sequence[str]
    left_out: tuple[int, ...] = ()
    """Content hashes of eval rows that early stopping does not rank, see `row_sample`."""


class Ranker:
    """Ranks of a split's targets in the whole corpus with the model's current weights."""

    def __init__(self, model: RetrievalModel, batches: tf.data.Dataset, exclude_seen: bool = True) -> None:
        """Takes the `dataset.eval_batches` of the split; the graph is traced once for all evaluations."""
        self._model = model
        self._batches = batches

        # Traced once: a new function per evaluation took 3 s each time, on 2 cores.
        @graph_function(input_signature=[batches.element_spec, tf.TensorSpec([None, None], tf.float32)])
        def ranks(batch: EvalBatch, candidates: tf.Tensor) -> tf.Tensor:
            queries = model.embed_queries(
                batch.features,
                batch.history,
                candidates,
                batch.times,
                batch.clock,
                batch.item_features,
                batch.context,
            )
            without_seen, with_seen = target_ranks(queries, candidates, batch.target, batch.seen)
            return without_seen if exclude_seen else with_seen

        self._ranks = ranks

    def ranks(self) -> np.ndarray:
        """Returns the rank of each row's target, int64 [rows]; `NOT_RANKED` for a target that its query had seen."""
        candidates = self._model.embed_corpus()
        # An operation has one thread, so that several batches are ranked at a time.
        cores = len(os.sched_getaffinity(0))
        ranks = [np.array([], np.int64)]
        pending: collections.deque[concurrent.futures.Future[tf.Tensor]] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(cores) as pool:
            for batch in self._batches:
                pending.append(pool.submit(self._ranks, batch, candidates))
                if len(pending) > cores:
                    ranks.append(pending.popleft().result().numpy())
            ranks += [future.result().numpy() for future in pending]
        return np.concatenate(ranks)

    def evaluate(self) -> dict[str, float | None]:
        """Returns NDCG@10 and the hit rate HR@10; both are None for a split without ranked targets.

        With one relevant candidate at rank r, NDCG@10 is 1 / log2(1 + r) for r up to 10, else 0.
        """
        counts = rank_metrics.histogram(self.ranks(), _CUTOFF)
        if not counts.sum():
            return dict(_NOT_EVALUATED)
        return {NDCG: rank_metrics.ndcg(counts, _CUTOFF), TOP_10: rank_metrics.top_k_accuracy(counts, _CUTOFF)}


def fit(
    model: RetrievalModel,
    reader: WindowReader,
    files: Files,
    settings: Settings,
    num_targets: int,
    run_dir: str,
    checkpoint_dir: str,
    time_is_up: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> dict[str, Any]:
    """Trains the model in place and leaves it with its best weights.

    The best weights are those with the highest NDCG@10 on eval, or on `train.eval_rows` of it, seen items excluded. A
    checkpoint is written after each epoch, and in a long epoch every `SAVE_EVERY_SECONDS`. If there is a checkpoint
    already, training resumes from it, with the same result as without the interruption.

    Args:
      model: An untrained model.
      reader: Parses the windows.
      files: Train and eval windows.
      settings: Settings of the model and the training.
      num_targets: Number of train targets in all windows.
      run_dir: Folder for TensorBoard logs and `progress.jsonl`, which has one line per evaluation.
      checkpoint_dir: Folder for the checkpoints of this training alone, see `checkpoints.identity`.
      time_is_up: Called after each evaluation; training ends when it returns True.
      team: The replicas that train together; the model was made in its scope. All processes return the same, but
        only the chief's model has the best weights.

    Returns:
      `epochs`, `steps`, `planned_steps`, `best_epoch`, `best_step`, `best_ndcg_at_10`, `best_top_10`, `seconds`,
      `eval_rows` and `all_eval_rows`, the number of rows that were ranked and that of the split, and `log`, the lines
      of `progress.jsonl`.
    """
    train = settings.train
    steps_per_epoch = dataset.count_train_batches(files.train, settings, num_targets)
    planned = steps_per_epoch * train.epochs
    sample = sample_rows(files.eval, train.eval_rows, files.left_out)
    ranker = Ranker(model, dataset.eval_batches(reader, files.eval, sample=sample), settings.exclude_seen)
    eval_size = make_loss(settings).eval_batch_size(model.corpus_size)
    eval_loss = EvalLoss(model, dataset.eval_batches(reader, files.eval, eval_size, sample), eval_size)
    plan = _Plan(steps_per_epoch, last_epoch=train.epochs, last_step=planned, scheduled_steps=planned)
    history = _train(
        model,
        reader,
        files.train,
        settings,
        plan,
        run_dir,
        checkpoint_dir,
        lambda: ranker.evaluate() | {EVAL_LOSS: eval_loss.mean()},
        time_is_up,
        f" on {sample.rows:,} of {sample.all_rows:,} eval rows" if sample.is_part else "",
        team,
    )
    return {**history, "planned_steps": planned, "eval_rows": sample.rows, "all_eval_rows": sample.all_rows}


def refit(
    model: RetrievalModel,
    reader: WindowReader,
    train_files: Sequence[str],
    settings: Settings,
    measured: Mapping[str, Any],
    num_targets: int,
    run_dir: str,
    checkpoint_dir: str,
    team: Team = ALONE,
) -> dict[str, Any]:
    """Trains the model in place for the best number of steps of a measured model, with the same learning rates.

    There is no evaluation, since no rows are held out. Training resumes as in `fit`.

    Args:
      model: An untrained model.
      reader: Parses the windows.
      train_files: gz TFRecord files of the windows.
      settings: Settings of the measured model.
      measured: Result of `fit` for the measured model.
      num_targets: Number of train targets in all windows.
      run_dir: As for `fit`.
      checkpoint_dir: As for `fit`.
      team: As for `fit`.

    Returns:
      The same keys as `fit`, without those of eval rows and the plan; metrics are None.
    """
    steps_per_epoch = dataset.count_train_batches(train_files, settings, num_targets)
    steps = int(measured["best_step"])
    plan = _Plan(
        steps_per_epoch,
        last_epoch=-(-steps // steps_per_epoch),
        last_step=steps,
        scheduled_steps=int(measured["planned_steps"]),
    )
    return _train(
        model,
        reader,
        train_files,
        settings,
        plan,
        run_dir,
        checkpoint_dir,
        lambda: _NOT_EVALUATED | {EVAL_LOSS: None},
        team=team,
    )


class _Plan(NamedTuple):
    """Length of a training."""

    steps_per_epoch: int
    last_epoch: int
    last_step: int
    """The last step, counted over all epochs; it can lie within the last epoch."""
    scheduled_steps: int
    """Length of the learning rate's schedule; a refit can end before the schedule does."""


def _train(
    model: RetrievalModel,
    reader: WindowReader,
    train_files: Sequence[str],
    settings: Settings,
    plan: _Plan,
    run_dir: str,
    checkpoint_dir: str,
    evaluate: Callable[[], dict[str, float | None]],
    time_is_up: Callable[[], bool] = lambda: False,
    sample: str = "",
    team: Team = ALONE,
) -> dict[str, Any]:
    """Trains according to a plan, from the last checkpoint, until `evaluate` stops improving; see `fit`.

    `sample` says which rows `evaluate` ranks, for the progress display.
    """
    train = settings.train
    with team.scope():
        optimizer = Optimizer(model, train, plan.scheduled_steps)
    state = _RunState(model, optimizer, run_dir, checkpoint_dir, sample, team)
    train_batches = dataset.train_batches(reader, train_files, settings, state.epoch + 1, plan.last_epoch)
    step = _step_function(model, optimizer, state.loss_sum, train_batches.element_spec, team)
    # The order of an epoch is a function of seed and epoch, so skipping finds the batch after the last trained one.
    batches = iter(train_batches.skip(state.step - state.epoch * plan.steps_per_epoch))
    for epoch in range(state.epoch + 1, plan.last_epoch + 1):
        if state.stale >= train.patience or (state.log and time_is_up()):
            break
        note = functools.partial(state.status_text, epoch, plan.last_epoch)
        for done in range(state.step, min(epoch * plan.steps_per_epoch, plan.last_step)):
            step(next(batches))
            progress.report(done + 1, plan.last_step, "steps", note)
            state.save_if_due()
        if epoch % train.eval_every_epochs == 0 or epoch == plan.last_epoch:
            state.record(epoch, optimizer.learning_rate, _evaluated(evaluate, team))
        state.end_epoch(epoch)
    return state.finish()


def _evaluated(evaluate: Callable[[], dict[str, float | None]], team: Team) -> dict[str, float | None]:
    """Returns the chief's metrics in all processes, so that all of them stop at the same evaluation."""
    metrics = evaluate() if team.is_chief else dict.fromkeys((NDCG, TOP_10, EVAL_LOSS))
    names = sorted(metrics)
    return dict(zip(names, team.from_chief([metrics[name] for name in names]), strict=True))


class _RunState:
    """State of a training that a checkpoint restores: weights, best weights and progress.

    All processes of a team have it, and only the chief writes it.
    """

    def __init__(
        self,
        model: RetrievalModel,
        optimizer: Optimizer,
        run_dir: str,
        checkpoint_dir: str,
        sample: str,
        team: Team,
    ) -> None:
        self._sample = sample
        self._step = model.step
        self._is_chief = team.is_chief
        with team.scope():
            self.loss_sum = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        # The log is a variable of the checkpoint, so that log and weights never disagree.
        self._notes = tf.Variable(json.dumps({"epoch": 0, "seconds": 0.0, "log": []}), trainable=False)
        self._checkpoints = Checkpoints(
            checkpoint_dir,
            state=tf.train.Checkpoint(model=model, optimizer=optimizer, loss_sum=self.loss_sum, notes=self._notes),
            weights=tf.train.Checkpoint(model=model),
        )
        resumed = self._checkpoints.restore()
        notes = json.loads(self._notes.numpy())
        self.epoch: int = notes["epoch"]
        self.log: list[dict[str, Any]] = notes["log"]
        # As if the run had started earlier, so that `seconds` includes the time before the interruption.
        self._started = time.monotonic() - notes["seconds"]
        self._saved = time.monotonic()
        if team.from_chief([self.step]) != [self.step]:
            raise RuntimeError(f"{checkpoint_dir}: expected the chief's checkpoint, got one of step {self.step}")
        if resumed:
            logging.getLogger(__name__).info(
                "resuming from a checkpoint at step %d, epoch %d", self.step, self.epoch + 1
            )
        self._progress_path = os.path.join(run_dir, PROGRESS_FILE)
        self._summaries = tf.summary.create_noop_writer()
        if self._is_chief:
            tf.io.gfile.makedirs(run_dir)
            self._summaries = tf.summary.create_file_writer(os.path.join(run_dir, "logs"))
        self._show(self.log)

    @property
    def step(self) -> int:
        """Number of finished training steps."""
        return int(self._step.numpy())

    @property
    def best(self) -> Any:
        """The log's line with the highest NDCG, the first one among ties; the latest line if eval has no rows."""
        if self.log and self.log[-1][NDCG] is None:
            return self.log[-1]
        return max(self.log, key=lambda line: line[NDCG], default=None)

    @property
    def stale(self) -> int:
        """Number of evaluations since the best one."""
        if not self.log:
            return 0
        return len(self.log) - 1 - self.log.index(self.best)

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation so far, including those before an interruption."""
        return round(time.monotonic() - self._started, 3)

    def record(self, epoch: int, learning_rate: float, metrics: dict[str, float | None]) -> None:
        """Adds a line to the log, and saves the weights if they are the best so far."""
        last_step = self.log[-1]["step"] if self.log else 0
        line = {
            "epoch": epoch,
            "step": self.step,
            "loss": float(self.loss_sum.numpy()) / (self.step - last_step),
            "learning_rate": learning_rate,
            **metrics,
            "seconds": self.seconds,
        }
        self.log.append(line)
        self.loss_sum.assign(0.0)
        # Before the state of this epoch: a kill in between must not leave a state whose best weights are missing.
        if self.stale == 0 and self._is_chief:
            self._checkpoints.save_weights(self.step)
        self._show([line])

    def status_text(self, epoch: int, epochs: int) -> str:
        """Returns the epoch, the latest metrics, the best one and the current loss, for the progress display."""
        parts = [f"epoch {epoch} of {epochs}"]
        if self.log and self.log[-1][NDCG] is not None:
            parts.append(f"{NDCG} {self.log[-1][NDCG]:.4f} (best {self.best[NDCG]:.4f}){self._sample}")
        steps = self.step - (self.log[-1]["step"] if self.log else 0)
        # Negative once the best step is restored: a line of progress may ask after the last step.
        if steps > 0:
            parts.append(f"loss {float(self.loss_sum.numpy()) / steps:.3f}")
        elif self.log:
            parts.append(f"loss {self.log[-1]['loss']:.3f}")
        return ", ".join(parts)

    def end_epoch(self, epoch: int) -> None:
        """Saves the state after an epoch and its evaluation."""
        self.epoch = epoch
        self._save()

    def save_if_due(self) -> None:
        """Saves the state in the middle of an epoch, if the last checkpoint is older than `SAVE_EVERY_SECONDS`."""
        if time.monotonic() - self._saved >= SAVE_EVERY_SECONDS:
            self._save()

    def finish(self) -> dict[str, Any]:
        """Restores the best weights and returns the summary of the run."""
        self._summaries.close()
        if self._is_chief:
            self._checkpoints.restore_weights(self.best["step"])
        return {
            "epochs": self.log[-1]["epoch"],
            "steps": self.log[-1]["step"],
            "best_epoch": self.best["epoch"],
            "best_step": self.best["step"],
            f"best_{NDCG}": self.best[NDCG],
            f"best_{TOP_10}": self.best[TOP_10],
            "seconds": self.log[-1]["seconds"],
            "log": self.log,
        }

    def _save(self) -> None:
        if not self._is_chief:
            return
        self._notes.assign(json.dumps({"epoch": self.epoch, "seconds": self.seconds, "log": self.log}))
        self._checkpoints.save_state(self.best["step"] if self.log else 0)
        self._saved = time.monotonic()

    def _show(self, lines: Sequence[dict[str, Any]]) -> None:
        """Writes `progress.jsonl` and the TensorBoard summaries; a resumed run can have a new, empty folder."""
        if not self._is_chief:
            return
        with tf.io.gfile.GFile(self._progress_path, "w") as file:
            file.write("".join(json.dumps(line) + "\n" for line in self.log))
        with self._summaries.as_default():
            for line in lines:
                for name in ("loss", EVAL_LOSS, NDCG, TOP_10, "learning_rate"):
                    if line.get(name) is not None:
                        tf.summary.scalar(name, line[name], step=line["epoch"])
        self._summaries.flush()


def _step_function(
    model: RetrievalModel, optimizer: Optimizer, loss_sum: tf.Variable, batch_spec: Any, team: Team
) -> Any:
    def of_replica(batch: TrainBatch, share: Share) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True, share=share)
        optimizer.apply(team.sum(tape.gradient(loss, optimizer.weights)))
        return team.sum(loss)

    @graph_function(input_signature=[batch_spec])
    def step(batch: TrainBatch) -> None:
        loss = team.run(of_replica, batch)
        model.step.assign_add(1)
        loss_sum.assign_add(tf.cast(loss, tf.float64))

    return step
