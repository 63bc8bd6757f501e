"""Engines of the product's own environment: `python -m benchmarks.index.product ENGINE FOLDER RECORDS.json`.

Shortlist is measured through `serving_default` of exported and loaded models, whose query tower looks a vector up.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import numpy as np
import scann  # noqa: F401, before the model is loaded, so that its memory is not counted as the model's
import tensorflow as tf
from tensorflow_recommenders.layers import factorized_top_k

from benchmarks.index import exports
from benchmarks.index.data import DIM, EXCLUSIONS, K, Vectors
from benchmarks.index.engine import Engine, Params, measure
from benchmarks.index.peers import NewestScann
from components.graph import graph_function
from components.indexer.exact import ExactIndex
from shortlist import keys
from shortlist.serving.saved_model import ServedSavedModel
from shortlist.serving.served_model import load_served

_LAYER_INPUTS = [tf.TensorSpec([None, DIM], tf.float32), tf.TensorSpec([None, None], tf.int32)]
_PAGE_BYTES = 4_096
_WARM_UP_CALLS = 20


class Shortlist(Engine):
    """A served model, exported by a process of its own."""

    kind = ""
    num_searchers = 1

    def __init__(self, vectors: Vectors) -> None:
        """Takes the vectors, whose queries are in the model."""
        self._vectors = vectors
        self._params: Params = {}

    def build(self, candidates: np.ndarray) -> None:
        report = exports.make(self._vectors, self.kind, self.num_searchers)
        self._params = report["params"]
        before = _resident_bytes()
        self._model = load_served(report["folder"])
        self._signature = self._model.signatures["serving_default"]
        # ScaNN's searcher is made by the first call.
        for _ in range(_WARM_UP_CALLS):
            self.search(self.prepare(self._vectors.queries[:1], np.zeros(1, int), None, {}))
        self.figures = {
            "build_seconds": report["seconds"],
            "peak_mb": report["peak_mb"],
            "loaded_mb": round((_resident_bytes() - before) / 2**20, 1),
        }

    def points(self) -> list[Params]:
        return [self._params]

    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        history = [[""]] * len(queries)
        if excluded is not None:
            history = [[exports.id_of(row) for row in line] for line in excluded]
        return {
            keys.QUERY_ID: tf.constant([str(number) for number in positions]),
            keys.HISTORY_IDS: tf.constant(history),
            keys.HISTORY_TIMES: tf.zeros([len(history), len(history[0])], tf.int64),
            keys.QUERY_TIME: tf.zeros([len(queries)], tf.int64),
        }

    def search(self, request: Any) -> Any:
        return self._signature(**request)

    def rows(self, answer: Any) -> np.ndarray:
        return np.array([[int(item) if item else -1 for item in line] for line in answer[keys.IDS].numpy()])


class ShortlistScann(Shortlist):
    """ScaNN as the Indexer tunes it, on other queries than those of the recall."""

    name = "shortlist scann"
    kind = "scann"


class ShortlistSearchers(ShortlistScann):
    """The same with three searchers, whose candidates are merged."""

    name = "shortlist scann, 3 searchers"
    num_searchers = 3


class ShortlistExact(Shortlist):
    """Exact search as it is served."""

    name = "shortlist exact"
    kind = "brute_force"
    is_exact = True


class EmptySignature(Shortlist):
    """A signature with the inputs and outputs of `serving_default` that computes nothing: the cost of the call."""

    name = "empty signature"
    kind = "brute_force"

    def build(self, candidates: np.ndarray) -> None:
        tower = exports.LookupTower(candidates[:16], self._vectors.queries)

        def answer(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                keys.IDS: inputs[keys.HISTORY_IDS],
                keys.SCORES: inputs[keys.HISTORY_TIMES],
                keys.COUNT: inputs[keys.QUERY_TIME],
            }

        specs = tower.query_embedding.input_signature
        function = graph_function(answer).get_concrete_function(**{spec.name: spec for spec in specs})
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(tower, folder, signatures=function)
            self._signature = ServedSavedModel(folder).signatures["serving_default"]

    def rows(self, answer: Any) -> np.ndarray:
        return np.full((len(answer[keys.IDS]), K), -1)


class Tfrs(Engine):
    """A layer of TFRS, called by `query_with_exclusions` in a graph, as its documentation serves it."""

    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        rows = np.full((len(queries), 1), -1) if excluded is None else excluded
        return tf.constant(queries), tf.constant(rows, tf.int32)

    def search(self, request: Any) -> Any:
        return self._call(*request)

    def rows(self, answer: Any) -> np.ndarray:
        return np.asarray(answer[1])

    def _serve(self, layer: factorized_top_k.TopK) -> None:
        self._layer = layer

        @graph_function(input_signature=_LAYER_INPUTS)
        def call(queries: tf.Tensor, excluded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # The layer needs a static width of the exclusions, as few as there are.
            def one() -> tuple[tf.Tensor, tf.Tensor]:
                return layer.query_with_exclusions(queries, tf.ensure_shape(excluded[:, :1], [None, 1]), K)

            def many() -> tuple[tf.Tensor, tf.Tensor]:
                return layer.query_with_exclusions(queries, tf.ensure_shape(excluded, [None, EXCLUSIONS]), K)

            return tf.cond(tf.shape(excluded)[1] == 1, one, many)

        self._call = call.get_concrete_function()


class TfrsBruteForce(Tfrs):
    """Exact search of TFRS."""

    name = "tfrs brute force"
    is_exact = True

    def build(self, candidates: np.ndarray) -> None:
        layer = factorized_top_k.BruteForce(k=K)
        self._serve(layer.index(tf.constant(candidates), tf.range(len(candidates))))


class ExactLayer(Tfrs):
    """Exact search as the served model has it, called as the layers of TFRS are: without ids and a tower."""

    name = "shortlist exact layer"
    is_exact = True

    def build(self, candidates: np.ndarray) -> None:
        layer = ExactIndex(k=K).index(tf.Variable(candidates))
        self._layer = layer

        # A function of its own: the optional argument of the method makes each call slower.
        @graph_function(input_signature=_LAYER_INPUTS)
        def call(queries: tf.Tensor, excluded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return layer.query_with_exclusions(queries, excluded)

        self._call = call.get_concrete_function()


class TfrsScann(Tfrs):
    """ScaNN of TFRS, with a quarter of the leaves and 500 rescored candidates."""

    name = "tfrs scann"

    def build(self, candidates: np.ndarray) -> None:
        leaves = max(2, round(len(candidates) ** 0.5))
        layer = factorized_top_k.ScaNN(
            k=K, num_leaves=leaves, num_leaves_to_search=max(1, leaves // 4), num_reordering_candidates=500
        )
        self._serve(layer.index(tf.constant(candidates), tf.range(len(candidates))))

    def points(self) -> list[Params]:
        return [{"leaves": "a quarter", "reorder": 500}]


class ScannBinding(NewestScann):
    """ScaNN's own Python binding, in the version of the product."""

    name = "scann binding"

    def points(self) -> list[Params]:
        return [point | {"reorder": reorder} for point in super().points() for reorder in (150, 200, 300)]


PRODUCT = (ShortlistScann, ShortlistSearchers, ShortlistExact, EmptySignature)
ENGINES = {engine.name: engine for engine in (*PRODUCT, ExactLayer, TfrsBruteForce, TfrsScann, ScannBinding)}


def _resident_bytes() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


if __name__ == "__main__":
    made = Vectors(pathlib.Path(sys.argv[2]))
    chosen = ENGINES[sys.argv[1]]
    measure(chosen(made) if issubclass(chosen, Shortlist) else chosen(), made, pathlib.Path(sys.argv[3]))
