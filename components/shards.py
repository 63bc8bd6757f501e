"""Gz TFRecord files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable

import tensorflow as tf


def write(records: Iterable[bytes], path: str, staging: str) -> int:
    """Writes one file in one step and returns how many records it has.

    Args:
      records: Serialized examples.
      path: The final file; its folder is made if need be.
      staging: A folder on the same file system that no reader looks into.
    """
    tf.io.gfile.makedirs(staging)
    tf.io.gfile.makedirs(os.path.dirname(path))
    # A runner may try a bundle again, or twice at once.
    unfinished = os.path.join(staging, uuid.uuid4().hex)
    count = 0
    with tf.io.TFRecordWriter(unfinished, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in records:
            writer.write(record)
            count += 1
    tf.io.gfile.rename(unfinished, path, overwrite=True)
    return count
