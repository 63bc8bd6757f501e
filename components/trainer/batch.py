"""A batch of train windows, and its targets one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf


class TrainBatch(NamedTuple):
    """Windows of one step, as rows of the corpus; -1 pads."""

    features: Mapping[str, tf.Tensor]
    """Transformed query features and `query_id`, [batch, ...] each."""
    items: tf.Tensor
    """int32 [batch, length]: what a position may look back on, oldest first."""
    targets: tf.Tensor
    """int32 [batch, targets]."""
    positions: tf.Tensor
    """int32 [batch, targets]: how many of the window's items precede each target."""
    weights: tf.Tensor
    """float32 [batch, targets]."""
    seen: tf.Tensor
    """int32 [batch, seen]: all of the query's train candidates."""
    times: tf.Tensor
    """float32 [batch, targets]: when each target was met, from 0, the first of all train targets, to 1, the last."""
    clock: tf.Tensor
    """int64 [batch, length + 1]: when the item after each place was met, see `towers.HistoryTower.call`; 0 pads."""


class Targets(NamedTuple):
    """The targets of a batch that are not padding, [n] each."""

    windows: tf.Tensor
    """int32, the row of each target's window in the batch."""
    rows: tf.Tensor
    """int32, the row of each in the corpus."""
    positions: tf.Tensor
    """As `TrainBatch.positions`."""
    weights: tf.Tensor
    """As `TrainBatch.weights`."""
    times: tf.Tensor
    """As `TrainBatch.times`."""


def flat_targets(batch: TrainBatch) -> Targets:
    """Returns the targets of a batch without padding, window after window."""
    present = tf.where(batch.targets >= 0)
    return Targets(
        windows=tf.cast(present[:, 0], tf.int32),
        rows=tf.gather_nd(batch.targets, present),
        positions=tf.gather_nd(batch.positions, present),
        weights=tf.gather_nd(batch.weights, present),
        times=tf.gather_nd(batch.times, present),
    )
