"""Fingerprints of the log's rows, by which held-out rows are found that an earlier model was trained on.

A row's fingerprint is a hash of query, candidate and whole second. Rows with equal fingerprints are copies. Copies are
counted, because a repeated interaction is a new row: in a log without timestamps, all purchases of one item by one
person are copies. The order of a query's rows decides its split, so the first copies are train rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.graph import without_autograph
from components.trainer.row_sample import content_hashes, window_records
from shortlist import keys

_BATCH = 1024
_BUCKETS = 2**62


class SplitRows(NamedTuple):
    """The targets of a split."""

    fingerprints: np.ndarray
    """int64 [targets], in the order of the files."""
    windows: np.ndarray
    """int64 [targets]: hash of the window of each target, see `row_sample.content_hashes`."""
    span: tuple[int, int]
    """First and last time of the targets, (0, 0) without any."""


def read_rows(files: Sequence[str]) -> SplitRows:
    """Returns the targets of windows, without rows of weight 0, which no loss has."""
    spec = {
        keys.QUERY_ID: tf.io.FixedLenFeature([], tf.string),
        keys.TARGET_IDS: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
        keys.TARGET_TIMES: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
        keys.TARGET_WEIGHTS: tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
    }

    def targets(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(serialized, spec)
        is_target = parsed[keys.TARGET_WEIGHTS].values > 0.0
        windows = parsed[keys.TARGET_IDS].value_rowids()
        times = parsed[keys.TARGET_TIMES].values
        texts = tf.strings.join(
            [
                tf.gather(parsed[keys.QUERY_ID], windows),
                parsed[keys.TARGET_IDS].values,
                tf.strings.as_string(times),
            ],
            # No id of a table has this character.
            separator="\x1f",
        )
        columns = (
            tf.strings.to_hash_bucket_fast(texts, _BUCKETS),
            tf.gather(content_hashes(serialized), windows),
            times,
        )
        return tuple(tf.boolean_mask(column, is_target) for column in columns)

    batches = list(window_records(files).batch(_BATCH).map(without_autograph(targets)).as_numpy_iterator())
    empty = np.array([], np.int64)
    fingerprints, windows, times = (np.concatenate([empty, *(batch[place] for batch in batches)]) for place in range(3))
    span = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    return SplitRows(fingerprints, windows, span)


def union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the sorted fingerprints of both, each as often as in the one that has more copies of it."""
    values, counts = np.unique(first, return_counts=True)
    others, other_counts = np.unique(second, return_counts=True)
    either = np.union1d(values, others)
    most = np.zeros(len(either), np.int64)
    most[np.searchsorted(either, values)] = counts
    places = np.searchsorted(either, others)
    most[places] = np.maximum(most[places], other_counts)
    return np.repeat(either, most)


def trained_on(source: np.ndarray, earlier: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Returns whether each held-out row was a train row of the source, bool [held_out].

    Args:
      source: Sorted fingerprints of the rows that the source was trained on.
      earlier: Fingerprints of today's rows in earlier splits, in any order: their copies come first.
      held_out: Fingerprints of the held-out rows, in order.
    """
    copy_numbers = _count(np.sort(earlier), held_out) + _numbers_of_copies(held_out)
    return copy_numbers < _count(source, held_out)


def _count(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the number of each value among sorted values."""
    return np.searchsorted(ordered, values, "right") - np.searchsorted(ordered, values, "left")


def _numbers_of_copies(values: np.ndarray) -> np.ndarray:
    """Returns the number of equal values before each value."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.arange(len(values)) - np.searchsorted(ordered, ordered, "left")
    return numbers
