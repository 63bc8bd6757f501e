"""The gz TFRecord files of an artifact: listing and atomic writes, in a local folder or at a URI that TensorFlow opens.

A folder's path is never a pattern: it may contain `*`, `?` and `[`.
"""

from __future__ import annotations

import glob
import os
import uuid
from collections.abc import Iterable, Iterator

import tensorflow as tf

from shortlist.errors import DataError

_SUFFIX = ".gz"


def list_files(folder: str) -> list[str]:
    """Returns the paths or URIs of a folder's gz TFRecord files, sorted.

    Every node writes at least one file per split, also for a split without rows.

    Args:
      folder: Local path or URI of a split.

    Raises:
      DataError: The folder does not exist, or has no such file.
    """
    try:
        names = sorted(tf.io.gfile.listdir(folder))
    except (tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        names = []
    files = [os.path.join(folder, name) for name in names if name.endswith(_SUFFIX)]
    if not files:
        raise DataError.from_parts(
            folder, f"files *{_SUFFIX}", "none", "`shortlist run` makes the files of a workspace again"
        )
    return files


def beam_pattern(folder: str) -> str:
    """Returns Beam's pattern for exactly the files of a folder; Beam itself refuses a pattern without a match."""
    return f"{glob.escape(folder)}/*"


def read_batches(path: str, size: int) -> Iterator[list[bytes]]:
    """Yields the records of a file, `size` at a time."""
    for batch in tf.data.TFRecordDataset(path, compression_type="GZIP").batch(size).as_numpy_iterator():
        yield batch.tolist()


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
