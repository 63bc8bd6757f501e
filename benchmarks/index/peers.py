"""Peers of the index benchmark, in an environment of their own: `peers.py ENGINE FOLDER RECORDS.json`."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import numpy as np

from benchmarks.index.data import DIM, EXCLUSIONS, K, Vectors
from benchmarks.index.engine import Engine, Params, measure
from benchmarks.index.filtered import Filtered


class Hnswlib(Filtered):
    """HNSW of hnswlib; M 16 and ef_construction 200 as in its README."""

    name = "hnswlib"

    def build(self, candidates: np.ndarray) -> None:
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=DIM)
        self._index.init_index(max_elements=len(candidates), ef_construction=200, M=16)
        self._index.add_items(candidates)

    def points(self) -> list[Params]:
        return [{"ef": ef} for ef in (100, 150, 200, 300, 450, 700, 1000, 1500, 2500)]

    def find(self, queries: np.ndarray, width: int, params: Params) -> np.ndarray:
        self._index.set_ef(max(params["ef"], width))
        return np.asarray(self._index.knn_query(queries, k=width)[0])


class FaissFlat(Engine):
    """Exact search of faiss, with its own filter."""

    name = "faiss flat"
    is_exact = True

    def build(self, candidates: np.ndarray) -> None:
        import faiss

        self._faiss = faiss
        self._index = faiss.IndexFlatIP(DIM)
        self._index.add(candidates)

    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        return queries, excluded

    def search(self, request: Any) -> Any:
        queries, excluded = request
        if excluded is None:
            return self._index.search(queries, K)[1]
        batch = self._faiss.IDSelectorBatch(excluded[0])
        selector = self._faiss.SearchParameters(sel=self._faiss.IDSelectorNot(batch))
        return self._index.search(queries, K, params=selector)[1]


class FaissIvf(Filtered):
    """Inverted lists of faiss with whole vectors, as many lists as ScaNN has leaves."""

    name = "faiss ivf flat"

    def build(self, candidates: np.ndarray) -> None:
        import faiss

        lists = max(2, round(len(candidates) ** 0.5))
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIM), DIM, lists, faiss.METRIC_INNER_PRODUCT)
        self._index.train(candidates[np.random.default_rng(0).permutation(len(candidates))[:100_000]])
        self._index.add(candidates)
        self._lists = lists

    def points(self) -> list[Params]:
        shares = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0)
        return [{"nprobe": number} for number in sorted({max(1, round(self._lists * share)) for share in shares})]

    def find(self, queries: np.ndarray, width: int, params: Params) -> np.ndarray:
        self._index.nprobe = params["nprobe"]
        return np.asarray(self._index.search(queries, width)[1])


class Usearch(Filtered):
    """HNSW of usearch, with the sizes of hnswlib."""

    name = "usearch"

    def build(self, candidates: np.ndarray) -> None:
        from usearch.index import Index

        self._index = Index(ndim=DIM, metric="ip", dtype="f32", connectivity=16, expansion_add=200)
        self._index.add(np.arange(len(candidates)), candidates)

    def points(self) -> list[Params]:
        return [{"expansion": number} for number in (100, 150, 200, 300, 450, 700, 1000, 1500, 2500)]

    def find(self, queries: np.ndarray, width: int, params: Params) -> np.ndarray:
        self._index.expansion_search = max(params["expansion"], width)
        return np.asarray(self._index.search(queries, width).keys).reshape(len(queries), -1)


class NewestScann(Filtered):
    """The newest ScaNN, which needs no TensorFlow, with the leaves of the product and its own rescoring."""

    name = "scann newest"

    def build(self, candidates: np.ndarray) -> None:
        from scann.scann_ops.py import scann_ops_pybind

        self._leaves = max(2, round(len(candidates) ** 0.5))
        self._index = scann_ops_pybind.builder(candidates, K, "dot_product").tree(self._leaves, 10).score_ah(2)
        self._index = self._index.reorder(K + EXCLUSIONS).build()

    def points(self) -> list[Params]:
        shares = (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
        leaves = sorted({max(1, round(self._leaves * share)) for share in shares})
        return [{"leaves": number, "reorder": 300} for number in leaves]

    def find(self, queries: np.ndarray, width: int, params: Params) -> np.ndarray:
        arguments = (width, params["reorder"] + width - K, params["leaves"])
        if len(queries) == 1:
            return np.asarray(self._index.search(queries[0], *arguments)[0])[np.newaxis]
        return np.asarray(self._index.search_batched_parallel(queries, *arguments)[0])


ENGINES = {engine.name: engine for engine in (Hnswlib, FaissFlat, FaissIvf, Usearch, NewestScann)}


if __name__ == "__main__":
    measure(ENGINES[sys.argv[1]](), Vectors(pathlib.Path(sys.argv[2])), pathlib.Path(sys.argv[3]))
