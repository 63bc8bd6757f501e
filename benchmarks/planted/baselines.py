"""Popularity and item kNN on the test rows of a planted log: the last interaction of each query.

As in the pipeline, both fit on train alone, which is all but the last two interactions of a query. The history of a
test row includes the one before last. Items of the history are excluded, and ties count against the target.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

_NEIGHBORS = 100
_SHRINK = 10.0
_ITEMS_PER_BLOCK = 5_000
_ROWS_PER_BLOCK = 5_000
CUTOFFS = (10, 100)


class Log(NamedTuple):
    """The interactions as numbers, in the order of query and time; [rows] each."""

    query: np.ndarray
    item: np.ndarray
    from_end: np.ndarray
    """0 for the last interaction of a query, 1 for the one before."""
    items: int
    """Number of candidates."""


def read(folder: pathlib.Path) -> Log:
    """Returns the log that `log.write` wrote."""
    table = pq.read_table(folder / "interactions.parquet")
    query, item = (
        np.array([int(name[1:]) for name in table[column].to_pylist()], np.int64) for column in ("user_id", "item_id")
    )
    order = np.lexsort((table["timestamp"].to_numpy(), query))
    query, item = query[order], item[order]
    ends = np.append(np.flatnonzero(query[1:] != query[:-1]), len(query) - 1)
    from_end = ends[np.searchsorted(ends, np.arange(len(query)))] - np.arange(len(query))
    return Log(query, item, from_end, pq.ParquetFile(folder / "candidates.parquet").metadata.num_rows)


def measure(folder: pathlib.Path) -> dict[str, dict[str, float]]:
    """Returns the metrics of each baseline by name."""
    log = read(folder)
    train = log.from_end >= 2
    past = _matrix(log, log.from_end >= 1)
    last = log.from_end == 0
    targets, queries = log.item[last], log.query[last]
    counts = np.bincount(log.item[train], minlength=log.items).astype(np.float64)
    similar = neighbors(_matrix(log, train))
    by_knn = []
    for start in range(0, len(targets), _ROWS_PER_BLOCK):
        rows = slice(start, start + _ROWS_PER_BLOCK)
        scores = (past[queries[rows]] @ similar).tocsr()
        by_knn.append(sparse_ranks(scores, targets[rows], past[queries[rows]]))
    return {
        "popularity": metrics(dense_ranks(counts, targets, past[queries])),
        "item_knn": metrics(np.concatenate(by_knn)),
    }


def neighbors(train: sparse.csr_matrix) -> sparse.csr_matrix:
    """Returns [items, items], the cosine of each item's `_NEIGHBORS` most similar others, shrunk by few queries."""
    by_item = train.T.tocsr()
    numbers = np.asarray(by_item.sum(axis=1)).ravel()
    blocks = []
    for start in range(0, by_item.shape[0], _ITEMS_PER_BLOCK):
        common = (by_item[start : start + _ITEMS_PER_BLOCK] @ train).tocoo()
        row, column, number = common.row, common.col, common.data
        norms = np.sqrt(numbers[row + start] * numbers[column]) + _SHRINK
        values = np.where(row + start == column, 0.0, number / norms)
        order = np.lexsort((-values, row))
        row, column, values = row[order], column[order], values[order]
        first = np.searchsorted(row, np.arange(common.shape[0]))
        kept = (np.arange(len(row)) - first[row] < _NEIGHBORS) & (values > 0.0)
        blocks.append(sparse.csr_matrix((values[kept], (row[kept], column[kept])), common.shape))
    return sparse.vstack(blocks, format="csr")


def dense_ranks(scores: np.ndarray, targets: np.ndarray, seen: sparse.csr_matrix) -> np.ndarray:
    """Returns the rank of each target by scores [items] that are the same for all queries, without seen items."""
    in_order = np.sort(scores)
    at_least = len(scores) - np.searchsorted(in_order, scores[targets], side="left")
    seen_before = [
        np.count_nonzero(scores[seen.indices[seen.indptr[row] : seen.indptr[row + 1]]] >= scores[target])
        for row, target in enumerate(targets)
    ]
    return at_least - np.array(seen_before, np.int64)


def sparse_ranks(scores: sparse.csr_matrix, targets: np.ndarray, seen: sparse.csr_matrix) -> np.ndarray:
    """Returns the rank of each target by non-negative scores [rows, items], without seen items; 0 is a tie of many."""
    ranks = np.empty(len(targets), np.int64)
    for row, target in enumerate(targets):
        columns = scores.indices[scores.indptr[row] : scores.indptr[row + 1]]
        values = scores.data[scores.indptr[row] : scores.indptr[row + 1]]
        own = values[columns == target].sum()
        allowed = ~np.isin(columns, seen.indices[seen.indptr[row] : seen.indptr[row + 1]])
        if own > 0.0:
            ranks[row] = np.count_nonzero(values[allowed] >= own)
        else:
            ranks[row] = scores.shape[1] - seen.indptr[row + 1] + seen.indptr[row]
    return ranks


def metrics(ranks: np.ndarray) -> dict[str, float]:
    """Returns the hit rates and NDCG@10."""
    gains = np.where(ranks <= 10, 1.0 / np.log2(1.0 + np.maximum(ranks, 1)), 0.0)
    found = {f"top_{k}": float(np.mean(ranks <= k)) for k in CUTOFFS} | {"ndcg_at_10": float(np.mean(gains))}
    return {name: round(value, 4) for name, value in found.items()}


def _matrix(log: Log, rows: np.ndarray) -> sparse.csr_matrix:
    """Returns float32 [queries, items], 1 for each of some interactions."""
    shape = (int(log.query.max()) + 1, log.items)
    values = np.ones(int(rows.sum()), np.float32)
    return sparse.csr_matrix((values, (log.query[rows], log.item[rows])), shape)
