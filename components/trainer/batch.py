"""Batches of train windows, and their targets as flat columns."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

PartT = TypeVar("PartT", bound=tuple[Any, ...])


class TrainBatch(NamedTuple):
    """The windows of one training step. Candidates are rows of the corpus, padded with -1."""

    features: Mapping[str, tf.Tensor]
    """Transformed query features and `query_id`, [batch, ...] each."""
    items: tf.Tensor
    """int32 [batch, length]: the items that a position can attend to, oldest first."""
    targets: tf.Tensor
    """int32 [batch, targets]."""
    positions: tf.Tensor
    """int32 [batch, targets]: the number of the window's items that precede each target."""
    weights: tf.Tensor
    """float32 [batch, targets]."""
    seen: tf.Tensor
    """int32 [batch, seen]: all of the query's train candidates."""
    times: tf.Tensor
    """float32 [batch, targets]: time of each target, from 0 (the first of all train targets) to 1 (the last)."""
    clock: tf.Tensor
    """int64 [batch, length + 1]: time of the item after each position, see `HistoryTower.call`; 0 pads."""
    item_features: Mapping[str, tf.Tensor] = {}
    """Transformed features of each item's row in the log, [batch, length] each: ids padded with -1, or floats."""
    context: Mapping[str, tf.Tensor] = {}
    """Transformed features of each target's own row that are known at a request, [batch, targets] each."""


class Targets(NamedTuple):
    """The targets of a batch without padding; each column is [num_targets]."""

    windows: tf.Tensor
    """int32, the row of each target's window in the batch."""
    rows: tf.Tensor
    """int32, the row of each target in the corpus."""
    positions: tf.Tensor
    """As `TrainBatch.positions`."""
    weights: tf.Tensor
    """As `TrainBatch.weights`."""
    times: tf.Tensor
    """As `TrainBatch.times`."""
    context: Mapping[str, tf.Tensor] = {}
    """As `TrainBatch.context`."""


def flat_targets(batch: TrainBatch) -> Targets:
    """Returns the targets of a batch without padding, in the order of their windows."""
    # tf.where lists indices row by row, so the targets stay in the order of their windows.
    present = tf.where(batch.targets >= 0)
    return Targets(
        windows=tf.cast(present[:, 0], tf.int32),
        rows=tf.gather_nd(batch.targets, present),
        positions=tf.gather_nd(batch.positions, present),
        weights=tf.gather_nd(batch.weights, present),
        times=tf.gather_nd(batch.times, present),
        context={name: tf.gather_nd(column, present) for name, column in batch.context.items()},
    )


def split_windows(windows: PartT, parts: int) -> list[PartT]:
    """Returns windows in `parts` parts of about the same size, some of them perhaps empty.

    Args:
      windows: A structure of tensors [batch, ...], for example a `TrainBatch`.
      parts: Number of parts.
    """
    number = tf.shape(tf.nest.flatten(windows)[0])[0]
    cuts = [number * part // parts for part in range(parts + 1)]
    return [
        tf.nest.map_structure(lambda column, some=slice(*bounds): column[some], windows)
        for bounds in itertools.pairwise(cuts)
    ]
