"""Atomic writes of gz TFRecord files."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable

import tensorflow as tf


def write(records: Iterable[bytes], path: str, staging: str) -> int:
    """Writes a file so that readers see all of it or nothing, and returns the number of its records.

    Args:
      records: Serialized examples.
      path: The final file; its folder is created if it does not exist.
      staging: A folder on the same file system that no reader looks into.
    """
    tf.io.gfile.makedirs(staging)
    tf.io.gfile.makedirs(os.path.dirname(path))
    # A Beam runner may retry a bundle, or process it twice at the same time: each attempt writes a file of its own.
    unfinished = os.path.join(staging, uuid.uuid4().hex)
    count = 0
    with tf.io.TFRecordWriter(unfinished, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in records:
            writer.write(record)
            count += 1
    tf.io.gfile.rename(unfinished, path, overwrite=True)
    return count
