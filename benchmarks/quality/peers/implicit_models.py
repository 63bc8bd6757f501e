"""Item kNN, iALS and BPR from `implicit`; the key `model` of a setting selects one."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import threadpoolctl
from implicit import als, bpr, nearest_neighbours
from scipy import sparse

from benchmarks.quality import exchange


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields a model for each setting.

    In test, item kNN and iALS use the eval item, too: item kNN as an interaction of the query, iALS by solving for the
    query's factors again with the item factors of train. BPR has no such step, and keeps its queries' factors of train.
    """
    warnings.filterwarnings("ignore")
    train = _matrix(split, split.train)
    for setting in grid:
        options = dict(setting)
        kind = options.pop("model")
        model = _model(kind, options, seed)
        start = time.monotonic()
        # implicit warns that its own threads and those of BLAS slow each other down.
        with threadpoolctl.threadpool_limits(1, "blas"):
            model.fit(train, show_progress=False)
        seconds = time.monotonic() - start
        targets = None
        if "iterations" in options:
            targets = train.nnz * options["iterations"]
        yield exchange.Fitted(setting, seconds, _scorer(split, kind, model), targets)


def _model(kind: str, options: dict[str, Any], seed: int) -> Any:
    if kind == "item_knn":
        return nearest_neighbours.CosineRecommender(**options)
    if kind == "ials":
        return als.AlternatingLeastSquares(**options, random_state=seed)
    # BPR's threads race for the same rows: with more than one, the model differs between runs.
    return bpr.BayesianPersonalizedRanking(**options, random_state=seed, num_threads=1)


def _scorer(split: exchange.Split, kind: str, model: Any) -> Any:
    def score(phase: str) -> np.ndarray:
        queries = split.queries(phase)
        history = _matrix(split, split.history(phase))[queries]
        if kind == "item_knn":
            return (history @ model.similarity).toarray()
        factors = model.user_factors[queries]
        if kind == "ials":
            factors = model.recalculate_user(queries, history)
        return factors.astype(np.float64) @ model.item_factors.astype(np.float64).T

    return score


def _matrix(split: exchange.Split, rows: exchange.Rows) -> sparse.csr_matrix:
    """Returns [num_queries, num_candidates], 1 where there was an interaction."""
    ones = np.ones(len(rows.query), np.float32)
    matrix = sparse.csr_matrix((ones, (rows.query, rows.candidate)), (split.num_queries, split.num_candidates))
    matrix.data[:] = 1.0
    return matrix


if __name__ == "__main__":
    exchange.main(fit, "implicit", "numpy", "scipy")
