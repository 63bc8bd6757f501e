"""The training loss of held-out rows, beside which the train loss shows overfitting."""

from __future__ import annotations

import math

import tensorflow as tf

from components.graph import graph_function
from components.trainer.batch import TrainBatch
from components.trainer.model import RetrievalModel
from components.trainer.window_reader import EvalBatch

MAX_ROWS = 10_000
"""Rows that count; an evaluation of more would cost as much as a part of an epoch."""


class EvalLoss:
    """Mean loss of a split's targets with the model's current weights, without dropout."""

    def __init__(self, model: RetrievalModel, batches: tf.data.Dataset, batch_size: int) -> None:
        """Takes the `dataset.eval_batches` of the split, of the size `TrainingLoss.eval_batch_size`."""
        self._batches = batches.take(math.ceil(MAX_ROWS / batch_size))

        @graph_function(input_signature=[batches.element_spec])
        def loss_and_weight(batch: EvalBatch) -> tuple[tf.Tensor, tf.Tensor]:
            as_in_training = train_batch(batch)
            weight = tf.reduce_sum(as_in_training.weights)
            return model.compute_loss(as_in_training) * weight, weight

        self._loss_and_weight = loss_and_weight

    def mean(self) -> float | None:
        """Returns the mean loss; None for a split without a target that is in the corpus."""
        losses, weights = 0.0, 0.0
        for batch in self._batches:
            loss, weight = self._loss_and_weight(batch)
            losses += float(loss)
            weights += float(weight)
        return losses / weights if weights else None


def train_batch(batch: EvalBatch) -> TrainBatch:
    """Returns rows of eval or test as windows with one target each, behind its whole history."""
    targets = batch.target[:, tf.newaxis]
    return TrainBatch(
        features=batch.features,
        items=batch.history,
        targets=targets,
        positions=tf.reduce_sum(tf.cast(batch.history >= 0, tf.int32), axis=1, keepdims=True),
        weights=tf.cast(targets >= 0, tf.float32),
        seen=batch.seen,
        times=batch.times[:, tf.newaxis],
        clock=batch.clock,
        item_features=batch.item_features,
        context={name: column[:, tf.newaxis] for name, column in batch.context.items()},
    )
