"""Similar items: the candidates whose vectors have the highest cosine with a candidate's, by exact search."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from components.bulk.files import Answers
from components.bulk.vectors import read_vectors

# Scores per batch: 128 MB of float32.
_CELLS_AT_ONCE = 32_000_000


class Neighbours:
    """The vectors of a served model, normalised."""

    def __init__(self, model_dir: str | os.PathLike[str], k: int) -> None:
        """Reads the vectors; `k` is the number of similar items, cut to the other candidates."""
        vectors = read_vectors(model_dir)
        self._ids = np.array(vectors.ids, object)
        lengths = np.linalg.norm(vectors.embeddings, axis=1, keepdims=True)
        # A vector of zeros has cosine 0 with all others.
        self._vectors = tf.constant(vectors.embeddings / np.maximum(lengths, 1e-12))
        self._k = min(k, len(self._ids) - 1)
        self._step = max(1, _CELLS_AT_ONCE // max(1, len(self._ids)))

    def of_shard(self, shard: int, num_shards: int) -> Answers:
        """Returns the similar items of a contiguous part of the catalogue, without the candidate itself."""
        start, stop = (len(self._ids) * number // num_shards for number in (shard, shard + 1))
        rows, scores = [np.zeros((0, self._k), np.int64)], [np.zeros((0, self._k), np.float32)]
        for first in range(start, stop, self._step):
            own = np.arange(first, min(first + self._step, stop))
            products = tf.matmul(self._vectors[own[0] : own[-1] + 1], self._vectors, transpose_b=True)
            best, found = (part.numpy() for part in tf.math.top_k(products, self._k + 1))
            others = _without(found, own)
            rows.append(np.take_along_axis(found, others, axis=1))
            scores.append(np.take_along_axis(best, others, axis=1))
        counts = np.full(stop - start, self._k, np.int32)
        return Answers(self._ids[start:stop], self._ids[np.concatenate(rows)], np.concatenate(scores), counts)


def _without(found: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Returns the columns [n, k] of `found` [n, k + 1] other than the row's own candidate, or than the last one."""
    is_own = found == own[:, np.newaxis]
    # Copies of a candidate can fill all places before it.
    is_own[~is_own.any(axis=1), -1] = True
    return np.nonzero(~is_own)[1].reshape(len(found), -1)
