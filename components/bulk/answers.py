"""Answers of a served model to serialized requests, with the bits of single requests if the index is exact."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.bulk.files import Answers
from components.graph import graph_function
from shortlist import keys
from shortlist.serving.served_model import load_served

# The fastest of 64, 256 and 1,024 with ScaNN.
_BATCH = 256
_OPTIONS = (keys.K, keys.EXCLUDE, keys.ALLOW)


class Answerer:
    """A served model, loaded once for many requests."""

    def __init__(self, model_dir: str | os.PathLike[str], is_exact: bool, k: int, exclude_seen: bool) -> None:
        """Loads the model.

        Args:
          model_dir: Folder of the version.
          is_exact: Whether its index is exact. Requests are then made one by one: a matrix product rounds differently
            in a batch, by about 1e-6, and an exact answer has to be that of `recommend`.
          k: Number of candidates per answer.
          exclude_seen: Whether to leave the history out of the answer.
        """
        self._signature = load_served(model_dir).signatures["recommend"]
        specs = self._signature.structured_input_signature[1]
        self._specs = {name: spec for name, spec in specs.items() if name not in _OPTIONS}
        self._batch = 1 if is_exact else _BATCH
        self._k = k
        self._exclude_seen = exclude_seen
        strings = [tf.TensorSpec([None], tf.string)]
        self._parse = graph_function(self._parsed, input_signature=strings)

    def answer(self, requests: Sequence[bytes]) -> Answers:
        """Returns the answers to serialized requests, see `components.bulk.requests`."""
        lengths = _history_lengths(requests)
        # Histories of similar length share a batch, because the longest one decides the work for all.
        order = np.argsort(lengths, kind="stable")
        batches = (
            [requests[row] for row in order[start : start + self._batch]]
            for start in range(0, len(requests), self._batch)
        )
        # Single requests leave most of a second core idle. Threads do not change the bits: each runs whole requests.
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            parts = list(pool.map(self._answer, batches))
        if not parts:
            empty = np.zeros((0, self._k))
            return Answers(np.zeros(0, object), empty.astype(object), empty.astype(np.float32), np.zeros(0, np.int32))
        back = np.argsort(order)
        return Answers(*(np.concatenate(columns)[back] for columns in zip(*parts, strict=True)))

    def _answer(self, requests: Sequence[bytes]) -> Answers:
        inputs = self._parse(tf.constant(list(requests), tf.string))
        number = len(requests)
        history = inputs[keys.HISTORY_IDS]
        outputs = self._signature(
            **inputs,
            **{
                keys.K: tf.fill([number], self._k),
                keys.EXCLUDE: history if self._exclude_seen else tf.fill([number, 1], ""),
                keys.ALLOW: tf.fill([number, 1], ""),
            },
        )
        return Answers(
            inputs[keys.QUERY_ID].numpy(),
            outputs[keys.IDS][:, : self._k].numpy(),
            outputs[keys.SCORES][:, : self._k].numpy(),
            outputs[keys.COUNT].numpy(),
        )

    def _parsed(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {name: tf.io.VarLenFeature(spec.dtype) for name, spec in self._specs.items()}
        parsed = tf.io.parse_example(serialized, features)
        return {name: _dense(parsed[name], spec) for name, spec in self._specs.items()}


def _history_lengths(requests: Sequence[bytes]) -> np.ndarray:
    # A request's size grows with its history, and needs no parsing.
    return np.array([len(request) for request in requests], np.int64)


def _dense(values: tf.SparseTensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Returns [batch], or [batch, n] with one column at least, as `input_tensors` does for single requests."""
    fill: Any = "" if spec.dtype == tf.string else 0
    if spec.dtype.is_floating:
        fill = float("nan")
    shape = tf.stack([values.dense_shape[0], tf.maximum(values.dense_shape[1], 1)])
    dense = tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default_value=fill)
    return dense if spec.shape.rank == 2 else dense[:, 0]
