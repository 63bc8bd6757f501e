"""Reads what the transform graphs learned: vocabularies and the train counts."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from components.transform.preprocessing import CANDIDATE_COUNTS


def vocabulary_size(transform_output: tft.TFTransformOutput, name: str) -> int:
    """Returns how many values `name` knows; this number is also the id of all others."""
    return transform_output.vocabulary_size_by_name(name)


def candidate_counts(transform_output: tft.TFTransformOutput) -> dict[bytes, int]:
    """Returns how often each candidate is a train target; others are absent.

    Args:
      transform_output: The windows' transform graph.
    """
    path = transform_output.vocabulary_file_by_name(CANDIDATE_COUNTS)
    counts = {}
    with tf.io.gfile.GFile(path, "rb") as lines:
        for line in lines.read().splitlines():
            count, _, candidate_id = line.partition(b" ")
            counts[candidate_id] = int(count)
    return counts
