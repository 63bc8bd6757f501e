"""Engines without a filter of their own: they fetch more results, and NumPy removes the excluded ones."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from benchmarks.index.data import K
from benchmarks.index.engine import Engine, Params


class Filtered(Engine):
    """An engine that returns rows by decreasing score."""

    @abc.abstractmethod
    def find(self, queries: np.ndarray, width: int, params: Params) -> np.ndarray:
        """Returns the best rows, [batch, width]."""

    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        return queries, excluded, params

    def search(self, request: Any) -> np.ndarray:
        queries, excluded, params = request
        if excluded is None:
            return self.find(queries, K, params)
        found = self.find(queries, K + excluded.shape[1], params)
        lines = [line[~np.isin(line, hidden)][:K] for line, hidden in zip(found, excluded, strict=True)]
        # A search that found too few leaves the line short.
        return np.array([np.pad(line, (0, K - len(line)), constant_values=-1) for line in lines])
