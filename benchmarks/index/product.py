"""Engines of the product's own environment: `python -m benchmarks.index.product ENGINE FOLDER RECORDS.json`.

Shortlist is measured through `serving_default` of exported and loaded models, whose query tower looks a vector up.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_recommenders.layers import factorized_top_k

from benchmarks.index.data import DIM, EXCLUSIONS, K, Vectors
from benchmarks.index.engine import Engine, Params, measure
from benchmarks.index.peers import NewestScann
from components.graph import gather_rows, graph_function
from components.indexer import export, tuning
from components.indexer.exact import ExactIndex
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannIndex
from shortlist import keys
from shortlist.serving.client import load_served

_MIN_RECALL = 0.99
_MAX_EXCLUSIONS = 1024
_ID_DIGITS = 8
_STRINGS = tf.TensorSpec([None], tf.string)
_TUNING_QUERIES = 300


class LookupTower(tf.Module):
    """A trained model whose query tower is a table: the floor of what a model costs."""

    def __init__(self, candidates: np.ndarray, queries: np.ndarray) -> None:
        """Takes [num_candidates, dim] and [num_queries, dim] vectors; a query's id is its number."""
        super().__init__()
        self.candidate_ids = tf.Variable([_id_of(row) for row in range(len(candidates))])
        self.candidate_embeddings = tf.Variable(candidates)
        self.queries = tf.Variable(queries)

    @graph_function(
        input_signature=[
            tf.TensorSpec([None], tf.string, keys.QUERY_ID),
            tf.TensorSpec([None, None], tf.string, keys.HISTORY_IDS),
            tf.TensorSpec([None, None], tf.int64, keys.HISTORY_TIMES),
            tf.TensorSpec([None], tf.int64, keys.QUERY_TIME),
        ]
    )
    def query_embedding(
        self, query_id: tf.Tensor, history_ids: tf.Tensor, history_times: tf.Tensor, query_time: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {keys.EMBEDDING: gather_rows(self.queries, tf.strings.to_number(query_id, tf.int32))}

    @graph_function(input_signature=[tf.TensorSpec([None], tf.string, keys.CANDIDATE_ID)])
    def candidate_embedding(self, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        return {keys.EMBEDDING: gather_rows(self.candidate_embeddings, tf.strings.to_number(candidate_id, tf.int32))}


class Shortlist(Engine):
    """A served model."""

    kind = ""

    def __init__(self, vectors: Vectors) -> None:
        """Takes the vectors, whose queries are in the model."""
        self._vectors = vectors
        self._params: Params = {}

    def make_index(self, trained: Any) -> ExactIndex | ScannIndex:
        """Returns the index over the loaded trained model."""
        raise NotImplementedError

    def build(self, candidates: np.ndarray) -> None:
        tower = LookupTower(candidates, self._vectors.queries)
        with tempfile.TemporaryDirectory() as folder:
            signatures = {"query_embedding": tower.query_embedding, "candidate_embedding": tower.candidate_embedding}
            tf.saved_model.save(tower, folder, signatures=signatures)
            trained = tf.saved_model.load(folder)
            served = export.ServedModel(trained, self.make_index(trained), K)
            model_dir = f"{folder}/{self.kind}"
            export.save(served, folder, model_dir)
            export.write_index_file(model_dir, {"kind": self.kind})
            self._model = load_served(model_dir)
        self._signature = self._model.signatures["serving_default"]

    def points(self) -> list[Params]:
        return [self._params]

    def prepare(self, queries: np.ndarray, positions: np.ndarray, excluded: np.ndarray | None, params: Params) -> Any:
        history = [[""]] * len(queries) if excluded is None else [[_id_of(row) for row in line] for line in excluded]
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

    def make_index(self, trained: Any) -> ScannIndex:
        queries = self._vectors.queries[-_TUNING_QUERIES:]
        nothing = [np.zeros(0, np.int32)] * len(queries)
        answers = ExactAnswers.find(queries, trained.candidate_embeddings.numpy(), nothing, K)
        tuned = tuning.tune(trained.candidate_embeddings, answers, K, _MAX_EXCLUSIONS, _MIN_RECALL)
        params = tuned.index.params
        self._params = {"leaves": params.leaves_to_search, "reorder": params.reorder}
        return tuned.index


class ShortlistExact(Shortlist):
    """Exact search as it is served."""

    name = "shortlist exact"
    kind = "brute_force"
    is_exact = True

    def make_index(self, trained: Any) -> ExactIndex:
        return ExactIndex(k=K).index(trained.candidate_embeddings)


class EmptySignature(Shortlist):
    """A signature with the inputs and outputs of `serving_default` that computes nothing: the cost of the call."""

    name = "empty signature"
    kind = "brute_force"

    def build(self, candidates: np.ndarray) -> None:
        tower = LookupTower(candidates[:16], self._vectors.queries)

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
            self._model = tf.saved_model.load(folder)
        self._signature = self._model.signatures["serving_default"]

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

        @graph_function(
            input_signature=[tf.TensorSpec([None, DIM], tf.float32), tf.TensorSpec([None, None], tf.int32)],
        )
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


PRODUCT = (ShortlistScann, ShortlistExact, EmptySignature)
ENGINES = {engine.name: engine for engine in (*PRODUCT, TfrsBruteForce, TfrsScann, ScannBinding)}


def _id_of(row: int) -> str:
    return f"{row:0{_ID_DIGITS}d}"


if __name__ == "__main__":
    made = Vectors(pathlib.Path(sys.argv[2]))
    chosen = ENGINES[sys.argv[1]]
    measure(chosen(made) if issubclass(chosen, Shortlist) else chosen(), made, pathlib.Path(sys.argv[3]))
