"""Replicas that train one model together, on TensorFlow's own distribution strategies.

Each replica has the whole batch and computes the loss of its own share of the windows. The sum of all replicas'
gradients is that of the whole batch, and each replica moves its copy of the weights by it. The result equals that of
one process (decision 35).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from components.graph import graph_function


class Share(NamedTuple):
    """The part of each batch that one replica computes."""

    number: int
    """Number of the replica, from 0."""
    of: int
    """Number of replicas."""

    @property
    def is_whole(self) -> bool:
        """Whether there is no other replica."""
        return self.of == 1

    def parts(self, parts: int) -> range:
        """Returns the numbers of this replica's parts of a batch in `parts` parts, a multiple of the replicas."""
        return range(parts * self.number // self.of, parts * (self.number + 1) // self.of)


WHOLE = Share(0, 1)
"""The share of a training without other replicas."""


class Team:
    """The replicas of a training, as one of its processes sees them."""

    def __init__(self, strategy: tf.distribute.Strategy | None = None, is_chief: bool = True) -> None:
        """Takes a strategy; without one, the model trains in this process alone, on TensorFlow's default device."""
        self._strategy = strategy
        self.is_chief = is_chief
        """Whether this process evaluates, and writes checkpoints, logs and progress."""
        self._sum_function: Any = None

    @property
    def size(self) -> int:
        """Number of replicas in all processes."""
        return 1 if self._strategy is None else int(self._strategy.num_replicas_in_sync)

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context in which variables are made: each replica has a copy with the chief's initial value."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def run(self, step: Callable[[Any, Share], tf.Tensor], batch: Any) -> tf.Tensor:
        """Calls `step` with the batch and the replica's share in each replica, and returns one of the results.

        Args:
          step: Returns a tensor that is equal in all replicas.
          batch: A structure of tensors, equal in all processes.
        """
        if self._strategy is None:
            return step(batch, WHOLE)
        results = self._strategy.run(lambda whole: step(whole, _share()), args=(batch,))
        return self._strategy.experimental_local_results(results)[0]

    def sum(self, values: Any) -> Any:
        """Returns the sums over all replicas of a structure of tensors and `tf.IndexedSlices`; call it in a step."""
        if self._strategy is None:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def from_chief(self, values: Sequence[float | None]) -> list[float | None]:
        """Returns the chief's values in all processes; each of them waits for the chief here."""
        if self._strategy is None:
            return list(values)
        if self._sum_function is None:
            self._sum_function = graph_function(
                lambda own: self.run(lambda sent, share: self.sum(_sent(sent, share)), own)
            )
        sent = tf.constant([math.nan if value is None else value for value in values], tf.float64)
        return [None if math.isnan(value) else float(value) for value in self._sum_function(sent).numpy()]


ALONE = Team()
"""A training in one process, without a strategy."""


def update(variable: tf.Variable, function: Callable[..., Any], *args: Any) -> None:
    """Calls `function` with each replica's copy of a variable; call it in a step.

    Args:
      variable: A variable of a model.
      function: Takes a copy of the variable and the `args` of its replica, and changes the copy.
      args: Tensors that are equal in all replicas, or variables, of which the replica's copies are passed.
    """
    tf.__internal__.distribute.interim.maybe_merge_call(
        lambda strategy, *given: strategy.extended.update(variable, function, args=given, group=False),
        tf.distribute.get_strategy(),
        *args,
    )


def _sent(own: tf.Tensor, share: Share) -> tf.Tensor:
    """Returns what a replica adds to the sum of `Team.from_chief`: the first replica, the chief's, its values."""
    # The sum needs a tensor that was made on the replica's device.
    return tf.zeros_like(own) if share.number else tf.identity(own)


def _share() -> Share:
    context = tf.distribute.get_replica_context()
    return Share(int(tf.get_static_value(context.replica_id_in_sync_group)), context.num_replicas_in_sync)
