"""Recall and latency of an index."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from components.indexer.retrieval import NO_ROW

# Recall is a mean over queries. With 2,000 queries its standard error at 0.99 is at most 0.0022.
MAX_QUERIES = 2_000
_LATENCY_CALLS = 300
_WARM_UP_CALLS = 20
# Two kernels round the same dot product differently, by about this share of the product of the vectors' lengths.
_ROUNDING = 1e-6
# One block of float32 scores takes 128 MB.
_CELLS_AT_ONCE = 32_000_000


@dataclasses.dataclass(frozen=True)
class ExactAnswers:
    """Results of exact search in NumPy, independent of the index under test."""

    queries: np.ndarray
    """[num_queries, embedding_dim], finite."""
    candidates: np.ndarray
    """[corpus_size, embedding_dim], finite."""
    excluded: Sequence[np.ndarray]
    """Excluded rows per query, of any length; -1 is padding."""
    depth: np.ndarray
    """[num_queries] length of an answer: k, or fewer if fewer candidates remain."""
    last_score: np.ndarray
    """[num_queries] score of the last result; candidates that tie with it count as correct."""

    @classmethod
    def find(cls, queries: np.ndarray, candidates: np.ndarray, excluded: Sequence[np.ndarray], k: int) -> ExactAnswers:
        """Returns the depth and the last score of each query's best k candidates; see the fields for shapes."""
        depth = np.zeros(len(queries), np.int64)
        last_score = np.zeros(len(queries), np.float32)
        step = max(1, _CELLS_AT_ONCE // len(candidates))
        for start in range(0, len(queries), step):
            for row, scores in enumerate(queries[start : start + step] @ candidates.T, start):
                eligible = np.delete(scores, excluded[row][excluded[row] != NO_ROW])
                depth[row] = min(k, len(eligible))
                if depth[row]:
                    position = len(eligible) - depth[row]
                    last_score[row] = np.partition(eligible, position)[position]
        return cls(queries, candidates, excluded, depth, last_score)

    def recall(self, served: np.ndarray) -> np.ndarray:
        """Returns |served ∩ exact| / |exact| per query, float64 [num_queries]; 1 if no candidate remains.

        Args:
          served: [num_queries, width] rows, padded with -1. Excluded and repeated rows do not count.
        """
        return np.array([self._recall(row, found) for row, found in enumerate(served)])

    def is_hit(self, query: int, rows: np.ndarray) -> np.ndarray:
        """Returns whether candidates score as high as the exact answer's last result, bool [num_rows].

        Args:
          query: Position of the query.
          rows: [num_rows] rows of candidates, excluded ones too.
        """
        return np.asarray(self.candidates[rows] @ self.queries[query] >= self._lowest[query])

    @functools.cached_property
    def _lowest(self) -> np.ndarray:
        # NumPy's norm would copy all candidates.
        mean_length = float(np.sqrt(np.einsum("ij,ij->i", self.candidates, self.candidates)).mean())
        return np.asarray(self.last_score - _ROUNDING * mean_length * np.linalg.norm(self.queries, axis=1))

    def _recall(self, row: int, found: np.ndarray) -> float:
        if not self.depth[row]:
            return 1.0
        found = np.setdiff1d(found[found != NO_ROW], self.excluded[row])
        # Ties with the last result can give more hits than the answer has places.
        return min(int(self.is_hit(row, found).sum()), int(self.depth[row])) / int(self.depth[row])


def latency_ms(
    call: Callable[..., Any], inputs: Sequence[Mapping[str, Any]], calls: int = _LATENCY_CALLS
) -> tuple[float, float]:
    """Returns the median and the 99th percentile of the time of one call, in ms.

    Calls run one after the other in this process.

    Args:
      call: A signature.
      inputs: Keyword arguments of one query each; used in turn.
      calls: Number of measured calls.
    """
    seconds = []
    for number in range(_WARM_UP_CALLS + calls):
        arguments = inputs[number % len(inputs)]
        start = time.perf_counter()
        call(**arguments)
        seconds.append(time.perf_counter() - start)
    p50, p99 = np.percentile(seconds[_WARM_UP_CALLS:], [50, 99]) * 1e3
    return float(p50), float(p99)
