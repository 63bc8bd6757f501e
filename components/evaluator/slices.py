"""Slices of the test split. A mean over all rows can hide a group of rows on which a model fails."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from shortlist import keys
from shortlist.metrics import names

NAMES = (keys.HISTORY_LENGTH, keys.TARGET_POPULARITY, keys.TARGET_SEEN_BEFORE)
"""The slices of every evaluation, outputs of the trained model's signature `slices`."""

_LENGTHS = ("0", "1", "2 to 5", "6 or more")
_LENGTHS_FROM = (1, 2, 6)
POPULARITIES = ("head", "middle", "tail", names.UNSEEN)
"""Names of the buckets of `popularity_buckets`."""
_UNSEEN = len(POPULARITIES) - 1


def popularity_buckets(counts: np.ndarray) -> np.ndarray:
    """Returns the popularity bucket of each candidate: 0 head, 1 middle, 2 tail, 3 unseen in train.

    The head holds the most popular candidates, which together have a third of the train targets. The middle holds the
    next third, the tail the last. Candidates with equal counts can be in different buckets; lower rows come first.

    Args:
      counts: [corpus] The number of times that each candidate is a train target.
    """
    order = np.argsort(-counts, kind="stable")
    ranked = counts[order].astype(np.float64)
    # The position of a candidate's first target decides its bucket.
    before = np.cumsum(ranked) - ranked
    buckets = np.empty(len(counts), np.int32)
    buckets[order] = np.minimum(before * 3 // max(ranked.sum(), 1.0), 2)
    buckets[counts == 0] = _UNSEEN
    return buckets


def labels(history: tf.Tensor, target: tf.Tensor, seen: tf.Tensor, popularity: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns each row's value of every slice, string [batch] by name.

    Args:
      history: [batch, length] rows of the corpus, padded with -1.
      target: [batch] rows of the corpus, -1 if the target is not in the corpus.
      seen: [batch, seen] rows of the corpus, padded with -1.
      popularity: [corpus], from `popularity_buckets`.
    """
    lengths = tf.reduce_sum(tf.cast(history >= 0, tf.int32), axis=1)
    length_buckets = tf.searchsorted(tf.constant(_LENGTHS_FROM), lengths, side="right")
    bucket = tf.where(target >= 0, tf.gather(popularity, tf.maximum(target, 0)), _UNSEEN)
    is_repeat = tf.reduce_any((seen == target[:, tf.newaxis]) & (seen >= 0), axis=1)
    return {
        keys.HISTORY_LENGTH: tf.gather(tf.constant(_LENGTHS), length_buckets),
        keys.TARGET_POPULARITY: tf.gather(tf.constant(POPULARITIES), bucket),
        keys.TARGET_SEEN_BEFORE: tf.where(is_repeat, "yes", "no"),
    }
