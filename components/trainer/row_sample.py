"""Rows of the eval split that early stopping ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.graph import without_autograph

_HASHED_ROWS = 1024
_PARALLEL_FILES = 8


class RowSample(NamedTuple):
    """Some rows of a split: those whose content has a hash up to `last_hash`. Order and files do not matter."""

    rows: int
    """Number of rows in the sample."""
    all_rows: int
    """Number of rows in the split."""
    last_hash: int | None
    """None if the sample has all rows but those that are left out."""
    left_out: tuple[int, ...] = ()
    """Sorted content hashes of rows that are not in the sample, whatever its size."""

    @property
    def is_part(self) -> bool:
        """Whether a row of the split is not in the sample."""
        return self.last_hash is not None or bool(self.left_out)

    def select(self, serialized: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the sample's rows among all rows of the split, string [] each."""
        if not self.is_part:
            return serialized
        last = tf.constant(2**62 if self.last_hash is None else self.last_hash, tf.int64)
        left_out = tf.constant(self.left_out, tf.int64)

        def chosen(rows: tf.Tensor) -> tf.Tensor:
            hashes = content_hashes(rows)
            kept = hashes <= last
            if self.left_out:
                ends = [tf.searchsorted(left_out, hashes, side) for side in ("left", "right")]
                kept &= ends[0] == ends[1]
            return tf.boolean_mask(rows, kept)

        return serialized.batch(_HASHED_ROWS).map(without_autograph(chosen)).unbatch()


def sample_rows(files: Sequence[str], rows: int, left_out: Sequence[int] = ()) -> RowSample:
    """Returns a sample of `rows` rows of a split, or all if there are fewer.

    The sample depends on the content of the rows alone, so that trainings on the same windows use the same rows.
    Rows with equal contents are all in it or none.

    Args:
      files: gz TFRecord files of the split.
      rows: Maximum number of rows.
      left_out: Content hashes of rows that the sample must not have.
    """
    batches = window_records(files).batch(_HASHED_ROWS).map(without_autograph(content_hashes))
    all_hashes = np.concatenate([np.array([], np.int64), *batches.as_numpy_iterator()])
    out = np.unique(np.array(left_out, np.int64))
    hashes = all_hashes[~np.isin(all_hashes, out)]
    last = None
    if len(hashes) > rows:
        last = int(np.partition(hashes, rows - 1)[rows - 1])
        hashes = hashes[hashes <= last]
    return RowSample(len(hashes), len(all_hashes), last, tuple(out.tolist()))


def content_hashes(serialized: tf.Tensor) -> tf.Tensor:
    """Returns a hash of each serialized window, int64 [batch] from 0 to 2**62 - 1."""
    return tf.strings.to_hash_bucket_fast(serialized, 2**62)


def window_records(files: Sequence[str]) -> tf.data.Dataset:
    """Returns the serialized windows of gz TFRecord files, string []; their order depends on the files alone."""
    return interleave(tf.data.Dataset.from_tensor_slices(tf.constant(sorted(files), tf.string)))


def interleave(files: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the records of gz TFRecord files, eight files at a time."""
    return files.interleave(
        lambda file: tf.data.TFRecordDataset(file, compression_type="GZIP"),
        cycle_length=_PARALLEL_FILES,
    )
