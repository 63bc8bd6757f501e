"""Exact search in NumPy: what a query is answered with, best first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.indexer.retrieval import NO_ROW

_CELLS_AT_ONCE = 16_000_000


def search(
    queries: np.ndarray, candidates: np.ndarray, excluded: Sequence[np.ndarray], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and scores [num_queries, width], best first; row -1 past an answer's end.

    Args:
      queries: [num_queries, embedding_dim], finite.
      candidates: [corpus, embedding_dim]; what has no finite score is no answer.
      excluded: For each query the rows that it may not be answered with, any length.
      width: How many answers; fewer are there where nothing else is left.
    """
    rows = np.full((len(queries), width), NO_ROW, np.int64)
    best_scores = np.full((len(queries), width), -np.inf, np.float32)
    wide = min(width, len(candidates))
    step = max(1, _CELLS_AT_ONCE // max(len(candidates), 1))
    for start in range(0, len(queries) if wide else 0, step):
        scores = queries[start : start + step] @ candidates.T
        scores[~np.isfinite(scores)] = -np.inf
        for row, left_out in enumerate(excluded[start : start + step]):
            scores[row, left_out] = -np.inf
        found = np.argpartition(-scores, wide - 1, axis=1)[:, :wide]
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        values = np.take_along_axis(scores, found, axis=1)
        rows[start : start + step, :wide] = np.where(np.isfinite(values), found, NO_ROW)
        best_scores[start : start + step, :wide] = values
    return rows, best_scores
