"""Sample of windows to tune and measure an index with."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components import shards
from shortlist import keys
from shortlist.serving.input_tensors import signature_inputs

_BATCH = 64


def sample_windows(split_dir: str, limit: int) -> list[bytes]:
    """Returns up to `limit` serialized windows of a split, the same ones in every run.

    Windows are sampled by a hash of their content, because the first rows of a file have the lowest query ids.

    Args:
      split_dir: Folder of gz TFRecords.
      limit: Maximal number of windows.

    Raises:
      DataError: The folder has no files.
    """
    records = tf.data.TFRecordDataset(shards.list_files(split_dir), compression_type="GZIP").as_numpy_iterator()
    return heapq.nsmallest(limit, records, key=lambda record: (hashlib.sha256(record).digest(), record))


def parse_window(serialized: bytes) -> dict[str, Any]:
    """Returns a window's features by name, each as a list; `query_time` is the time of its first target."""
    feature = tf.train.Example.FromString(serialized).features.feature
    row: dict[str, Any] = {name: _values(value) for name, value in feature.items()}
    row.setdefault(keys.QUERY_TIME, row.get(keys.TARGET_TIMES, [])[:1])
    return row


def embed(signature: Any, rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns the embeddings of parsed windows' queries, float32 [num_rows, embedding_dim].

    Args:
      signature: `query_embedding` of a trained model.
      rows: One or more results of `parse_window`.
    """
    specs = signature.structured_input_signature[1]
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    return np.concatenate([signature(**signature_inputs(specs, batch))[keys.EMBEDDING].numpy() for batch in batches])


def seen_ids(row: dict[str, Any]) -> list[bytes]:
    """Returns the ids excluded from a query's recommendations: its history and its other seen items."""
    return sorted({*row.get(keys.HISTORY_IDS, ()), *row.get(keys.SEEN_IDS, ())})


def _values(feature: tf.train.Feature) -> list[Any]:
    kind = feature.WhichOneof("kind")
    if kind is None:
        return []
    return list(getattr(feature, kind).value)
