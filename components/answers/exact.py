"""Exact search in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.indexer.retrieval import NO_ROW

# Scores per batch of queries: 64 MB of float32, however large the corpus is.
_CELLS_AT_ONCE = 16_000_000


def search(
    queries: np.ndarray, candidates: np.ndarray, excluded: Sequence[np.ndarray], width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the corpus rows and scores of the best candidates, [num_queries, width] each, best first.

    Where fewer candidates are left, rows are padded with -1 and scores with minus infinity.

    Args:
      queries: [num_queries, embedding_dim], finite.
      candidates: [corpus, embedding_dim]; candidates whose score is not finite are left out.
      excluded: Per query the corpus rows to leave out, of any length.
      width: The number of candidates per query.
    """
    rows = np.full((len(queries), width), NO_ROW, np.int64)
    best_scores = np.full((len(queries), width), -np.inf, np.float32)
    wide = min(width, len(candidates))
    if not wide:
        return rows, best_scores
    step = max(1, _CELLS_AT_ONCE // len(candidates))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ candidates.T
        scores[~np.isfinite(scores)] = -np.inf
        for row, excluded_rows in enumerate(excluded[start : start + step]):
            scores[row, excluded_rows] = -np.inf
        # Only the best few are sorted, not the whole corpus.
        top = np.argpartition(-scores, wide - 1, axis=1)[:, :wide]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
        top = np.take_along_axis(top, order, axis=1)
        values = np.take_along_axis(scores, top, axis=1)
        rows[start : start + step, :wide] = np.where(np.isfinite(values), top, NO_ROW)
        best_scores[start : start + step, :wide] = values
    return rows, best_scores
