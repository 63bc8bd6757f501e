"""Batches of windows: for training, and for ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.graph import without_autograph
from components.trainer.losses import make_loss
from components.trainer.row_sample import RowSample, interleave, window_records
from components.trainer.settings import Settings
from components.trainer.window_reader import WindowReader
from shortlist import keys

_SHUFFLE_WINDOWS = 20_000
_PARSED_WINDOWS = 64


def count_train_batches(files: Sequence[str], settings: Settings, num_targets: int) -> int:
    """Returns the number of steps per epoch, which is the same in each epoch.

    Args:
      files: Train windows.
      settings: Batch size and loss.
      num_targets: Number of train targets in all windows.
    """
    records = window_records(files)
    return make_loss(settings).count_batches(records, num_targets)


def train_batches(
    reader: WindowReader, files: Sequence[str], settings: Settings, first_epoch: int, last_epoch: int
) -> tf.data.Dataset:
    """Returns the `TrainBatch`es of the epochs in sequence; the order within an epoch depends on seed and epoch only.

    The loss forms the batches, see `losses.TrainingLoss.batches`.

    Args:
      reader: Parses the windows.
      files: Train windows.
      settings: Batch size, loss and seed.
      first_epoch: The first epoch, counted from 1.
      last_epoch: The last epoch, inclusive.
    """
    loss = make_loss(settings)

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # flat_map traces this once for all epochs; a new dataset per epoch would be traced again each time.
        seed = settings.train.seed * 1_000 + epoch
        ordered = tf.data.Dataset.from_tensor_slices(sorted(files)).shuffle(len(files), seed=seed)
        records = interleave(ordered).shuffle(_SHUFFLE_WINDOWS, seed=seed)
        return loss.batches(records, reader.train_batch, seed)

    epochs = tf.data.Dataset.range(first_epoch, last_epoch + 1)
    return _without_autotuner(epochs.flat_map(without_autograph(one_epoch)).prefetch(4))


def eval_batches(
    reader: WindowReader, files: Sequence[str], batch_size: int = 256, sample: RowSample | None = None
) -> tf.data.Dataset:
    """Returns the `EvalBatch`es of a split, or of a sample of its rows."""
    records = window_records(files)
    if sample is not None:
        records = sample.select(records)
    batches = records.batch(batch_size)
    return _without_autotuner(batches.map(without_autograph(reader.eval_batch), tf.data.AUTOTUNE).prefetch(2))


def query_ids(files: Sequence[str]) -> np.ndarray:
    """Returns the query id of each row of a split, [rows] bytes objects in the order of `eval_batches`."""
    spec = {keys.QUERY_ID: tf.io.FixedLenFeature([], tf.string)}
    batches = window_records(files).batch(_PARSED_WINDOWS)
    parsed = batches.map(lambda serialized: tf.io.parse_example(serialized, spec)[keys.QUERY_ID])
    return np.concatenate([np.array([], object), *parsed.as_numpy_iterator()])


def _without_autotuner(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the batches with AUTOTUNE fixed at one parallel call per core."""
    # The tuner's thread can delay the end of an iterator by a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
