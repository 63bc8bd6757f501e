"""Files of answers: Parquet or JSON Lines, each written in one step."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
import tensorflow as tf

Format = Literal["parquet", "jsonl"]


class Answers(NamedTuple):
    """Results in the order of the requests."""

    keys: np.ndarray
    """[n] bytes objects, the ids of the queries or candidates that were asked for."""
    ids: np.ndarray
    """[n, k] bytes objects, best first, padded with b""."""
    scores: np.ndarray
    """float32 [n, k]."""
    counts: np.ndarray
    """int32 [n], number of results."""


def answer_path(folder: str, shard: int, num_shards: int, form: Format) -> str:
    """Returns the file of a shard's answers."""
    return os.path.join(folder, f"answers-{shard:05d}-of-{num_shards:05d}.{form}")


def write(key: str, answers: Answers, path: str, staging: str) -> None:
    """Writes a file so that readers see all of it or nothing. The ending of its name decides the format.

    Parquet has the columns `<key>` (string), `ids` (list of strings, best first) and `scores` (list of floats). JSON
    Lines has an object with the same keys per line.

    Args:
      key: Name of the first column: `query_id` or `candidate_id`.
      answers: The rows.
      path: The file.
      staging: A folder on the same file system that no reader looks into.
    """
    tf.io.gfile.makedirs(staging)
    tf.io.gfile.makedirs(os.path.dirname(path))
    # A Beam runner may retry a bundle, or process it twice at the same time: each attempt writes a file of its own.
    unfinished = os.path.join(staging, uuid.uuid4().hex)
    table = _table(key, answers)
    with tf.io.gfile.GFile(unfinished, "wb") as file:
        if path.endswith(".parquet"):
            # In memory: pyarrow does not accept TensorFlow's files.
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd")
            file.write(sink.getvalue().to_pybytes())
        else:
            # One write, since TensorFlow creates a file at the first, which a shard without rows would not reach.
            file.write("".join(_lines(table)).encode("utf-8"))
    tf.io.gfile.rename(unfinished, path, overwrite=True)


def _table(key: str, answers: Answers) -> pa.Table:
    is_result = np.arange(answers.ids.shape[1]) < answers.counts[:, np.newaxis]
    offsets = pa.array(np.concatenate([[0], np.cumsum(answers.counts)]).astype(np.int32))
    return pa.table(
        {
            key: _strings(answers.keys),
            "ids": pa.ListArray.from_arrays(offsets, _strings(answers.ids[is_result])),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(answers.scores[is_result].astype(np.float32))),
        }
    )


def _strings(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist(), pa.binary()).cast(pa.string())


def _lines(table: pa.Table) -> Iterator[str]:
    for batch in table.to_batches():
        for row in batch.to_pylist():
            yield json.dumps(row, ensure_ascii=False) + "\n"
