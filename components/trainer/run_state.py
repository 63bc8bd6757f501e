"""State of a training, restored from its checkpoints, and its progress on disk."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from components.trainer.checkpoints import Checkpoints
from components.trainer.model import RetrievalModel
from components.trainer.optimizer import Optimizer
from components.trainer.ranker import NDCG, TOP_10
from components.trainer.team import Team

PROGRESS_FILE = "progress.jsonl"
EVAL_LOSS = "eval_loss"
SAVE_EVERY_SECONDS = 300.0


class RunState:
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
