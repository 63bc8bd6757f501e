"""Readers of the transform graphs' results: vocabularies and train counts."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

from components.transform.preprocessing import CANDIDATE_COUNTS


def vocabulary_size(transform_output: tft.TFTransformOutput, name: str) -> int:
    """Returns the size of the vocabulary `name`; it is also the id of all values outside of the vocabulary."""
    return transform_output.vocabulary_size_by_name(name)


def candidate_counts(transform_output: tft.TFTransformOutput) -> dict[bytes, int]:
    """Returns each candidate's number of train targets; candidates without any are absent.

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
