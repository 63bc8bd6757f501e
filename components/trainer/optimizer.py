"""AdamW with its learning rates, and its variant for tables of which a step reads few rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from components.trainer import team
from components.trainer.model import RetrievalModel
from shortlist.config.train import Train


class WarmUpSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly from zero, then stays constant or falls to zero along half a cosine."""

    def __init__(self, peak: float, warm_up_steps: int, total_steps: int, cosine: bool) -> None:
        """Takes the maximum rate and the lengths of the phases in steps."""
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
        falling = 1.0
        if self._cosine:
            falling = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))
        return self._peak * tf.minimum(rising, 1.0) * falling


class RowAdamW(tf.Module):
    """AdamW without momentum, which moves only the rows of its tables that a step's gradient names.

    The cost of a step follows the rows that it reads, not the size of a table. A row moves as AdamW would move it
    (decision 22):

    - Its mean of squared gradients decays for each step since its last update, also for those that did not read it.
    - Without momentum, a gradient acts at once. AdamW spreads it over the steps that follow, which for a row that is
      rarely read would be updates of their own.
    - The weight decay of the steps since the last update is applied with the next one, at its learning rate.
    """

    def __init__(self, tables: Sequence[tf.Variable], weight_decay: float, beta_2: float, epsilon: float) -> None:
        """Makes the state of the tables: one float per weight and one integer per row."""
        super().__init__()
        self._places = {id(table): place for place, table in enumerate(tables)}
        self._weight_decay = weight_decay
        self._beta_2 = beta_2
        self._epsilon = epsilon
        self._squares = [tf.Variable(tf.zeros(table.shape), trainable=False) for table in tables]
        self._last_steps = [tf.Variable(tf.zeros(table.shape[:1], tf.int32), trainable=False) for table in tables]

    def has(self, weight: tf.Variable) -> bool:
        """Returns whether a weight is one of the tables."""
        return id(weight) in self._places

    def apply(self, gradient: tf.IndexedSlices, table: tf.Variable, step: tf.Tensor, rate: tf.Tensor) -> None:
        """Updates the rows of a table that the gradient names, except those whose gradient is zero.

        Args:
          gradient: Gradient by the table; it may name a row several times.
          table: One of the tables.
          step: int32 [], counted from 1.
          rate: float32 [], the step's learning rate.
        """
        place = self._places[id(table)]
        state = self._squares[place], self._last_steps[place]
        team.update(table, self._update_rows, *state, gradient, step, rate)

    def _update_rows(
        self,
        table: tf.Variable,
        squares: tf.Variable,
        last_steps: tf.Variable,
        gradient: tf.IndexedSlices,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> None:
        """Updates one replica's copies of a table and its state; see `apply`."""
        rows, values = _sums_by_row(gradient)
        passed = tf.cast(step - tf.gather(last_steps, rows), tf.float32)[:, tf.newaxis]
        beta_2 = tf.constant(self._beta_2, tf.float32)
        square = beta_2**passed * tf.gather(squares, rows) + (1.0 - beta_2) * tf.square(values)
        unbiased = square / (1.0 - beta_2 ** tf.cast(step, tf.float32))
        weights = tf.gather(table, rows)
        if self._weight_decay:
            weights *= (1.0 - rate * self._weight_decay) ** passed
        weights -= rate * values / (tf.sqrt(unbiased) + self._epsilon)
        for variable, value in ((table, weights), (squares, square), (last_steps, tf.fill(tf.shape(rows), step))):
            variable.scatter_update(tf.IndexedSlices(value, rows))


def _sums_by_row(gradient: tf.IndexedSlices) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns distinct rows [n] and their gradients [n, width], without gradients of zero.

    Padding and dropped ids name rows that the loss does not depend on.
    """
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    moved = tf.where(tf.reduce_any(values != 0.0, axis=1))[:, 0]
    return tf.gather(rows, moved), tf.gather(values, moved)


class Optimizer(tf.Module):
    """AdamW for all weights of a model, with `RowAdamW` for the tables if the loss reads few rows per step.

    Weights of rank 1, which are biases and norms, do not decay.
    """

    def __init__(self, model: RetrievalModel, train: Train, total_steps: int) -> None:
        """Makes the state; `total_steps` is the length of the learning rate's schedule."""
        super().__init__()
        self._schedule = WarmUpSchedule(
            train.learning_rate, round(train.warmup_fraction * total_steps), total_steps, train.schedule == "cosine"
        )
        self.dense = tf.keras.optimizers.AdamW(self._schedule, weight_decay=train.weight_decay)
        tables = model.tables if model.has_sparse_gradients else []
        self.rows = RowAdamW(tables, train.weight_decay, self.dense.beta_2, self.dense.epsilon)
        self.weights: list[tf.Variable] = list(model.trainable_variables)
        """The model's weights, in the order of the gradients."""
        self._others = [weight for weight in self.weights if not self.rows.has(weight)]
        self.dense.exclude_from_weight_decay(var_list=[weight for weight in self._others if weight.shape.rank < 2])
        self.dense.build(self._others)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the latest step."""
        return float(self.dense.learning_rate.numpy())

    def apply(self, gradients: Sequence[tf.Tensor | tf.IndexedSlices]) -> None:
        """Moves the weights; the gradients are in the order of `weights`, and equal in all replicas."""
        done = self.dense.iterations
        step, rate = tf.cast(done, tf.int32) + 1, self._schedule(done)
        dense = []
        for gradient, weight in zip(gradients, self.weights, strict=True):
            if self.rows.has(weight):
                self.rows.apply(gradient, weight, step, rate)
            else:
                # AdamW changes every row in every step. A sparse gradient would only add a search for equal rows.
                dense.append(tf.convert_to_tensor(gradient))
        # The gradients are sums over all replicas already; by default Keras would add them again.
        self.dense.apply_gradients(zip(dense, self._others, strict=True), skip_gradients_aggregation=True)
