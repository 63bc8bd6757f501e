"""EASE: a linear item-to-item model in closed form (Steck, 2019, https://arxiv.org/abs/1905.03375)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from benchmarks.quality import exchange


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields a model for each `l2`. A query is the set of all interactions in its history."""
    for setting in grid:
        start = time.monotonic()
        train = _matrix(split, split.train)
        gram = (train.T @ train).toarray()
        gram[np.diag_indices(len(gram))] += setting["l2"]
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        weights[np.diag_indices(len(weights))] = 0.0
        seconds = time.monotonic() - start

        def score(phase: str, weights: np.ndarray = weights) -> np.ndarray:
            return _matrix(split, split.history(phase))[split.queries(phase)] @ weights

        yield exchange.Fitted(setting, seconds, score)


def _matrix(split: exchange.Split, rows: exchange.Rows) -> sparse.csr_matrix:
    """Returns [num_queries, num_candidates], 1 where there was an interaction."""
    ones = np.ones(len(rows.query))
    matrix = sparse.csr_matrix((ones, (rows.query, rows.candidate)), (split.num_queries, split.num_candidates))
    matrix.data[:] = 1.0
    return matrix


if __name__ == "__main__":
    exchange.main(fit, "numpy", "scipy")
