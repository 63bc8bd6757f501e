"""The training loop: AdamW, early stopping on eval NDCG@10, checkpoints to resume from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from components.graph import graph_function
from components.trainer import dataset
from components.trainer.batch import TrainBatch
from components.trainer.eval_loss import EvalLoss
from components.trainer.losses import make_loss
from components.trainer.model import RetrievalModel
from components.trainer.optimizer import Optimizer
from components.trainer.ranker import NDCG, NOT_EVALUATED, TOP_10, Ranker
from components.trainer.row_sample import sample_rows
from components.trainer.run_state import EVAL_LOSS, RunState
from components.trainer.settings import Settings
from components.trainer.team import ALONE, Share, Team
from components.trainer.window_reader import WindowReader
from shortlist.process import progress


@dataclasses.dataclass(frozen=True)
class Files:
    """gz TFRecord files of the windows."""

    train: Sequence[str]
    eval: Sequence[str]
    left_out: tuple[int, ...] = ()
    """Content hashes of eval rows that early stopping does not rank, see `row_sample`."""


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
        lambda: NOT_EVALUATED | {EVAL_LOSS: None},
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
    state = RunState(model, optimizer, run_dir, checkpoint_dir, sample, team)
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
