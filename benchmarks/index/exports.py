"""Exports of one size: a trained model whose query tower is a table, and its served models.

    python -m benchmarks.index.exports trained FOLDER
    python -m benchmarks.index.exports indexes FOLDER KIND NUM_SEARCHERS

Each step is a process of its own: the memory of one is not counted as another's. The second step does what the Indexer
does, from the trained model on: it tunes, builds and exports the index and its exact copy. For exact search there is
the exact copy alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.index.data import K, Vectors
from components.graph import gather_rows, graph_function
from components.indexer import export, tuning
from components.indexer.exact import ExactIndex
from components.indexer.recall import MAX_QUERIES, ExactAnswers
from components.indexer.scann_index import ScannIndex
from shortlist import keys

_MIN_RECALL = 0.99
_MAX_EXCLUSIONS = 1024
_ID_DIGITS = 8
_TUNING_QUERIES = 300


class LookupTower(tf.Module):
    """A trained model whose query tower is a table: the floor of what a model costs."""

    def __init__(self, candidates: np.ndarray, queries: np.ndarray) -> None:
        """Takes [num_candidates, dim] and [num_queries, dim] vectors; a query's id is its number."""
        super().__init__()
        self.candidate_ids = tf.Variable([id_of(row) for row in range(len(candidates))])
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


def make(vectors: Vectors, kind: str, num_searchers: int) -> dict[str, Any]:
    """Writes the served models anew, and returns the report of their build.

    Args:
      vectors: The vectors, in whose folder the models are.
      kind: `scann`, which has an exact copy, or `brute_force`.
      num_searchers: Parts of ScaNN's corpus.

    Returns:
      `folder` of the model of that kind, its `params`, `seconds` of the tuning, the build and the exports, and
      `peak_mb` of the process.
    """
    for step in (["trained"], ["indexes", kind, str(num_searchers)]):
        command = [sys.executable, "-m", "benchmarks.index.exports", step[0], str(vectors.folder), *step[1:]]
        subprocess.run(command, check=True, env=dict(os.environ))
    report: dict[str, Any] = json.loads((vectors.folder / "exports" / "report.json").read_text())
    return report


def write_trained(vectors: Vectors) -> None:
    """Writes the trained model."""
    folder = vectors.folder / "exports"
    shutil.rmtree(folder, ignore_errors=True)
    tower = LookupTower(vectors.candidates, vectors.queries)
    signatures = {"query_embedding": tower.query_embedding, "candidate_embedding": tower.candidate_embedding}
    tf.saved_model.save(tower, str(folder / "trained"), signatures=signatures)


def tune(vectors: Vectors, candidates: tf.Variable, num_searchers: int = 1) -> tuning.TunedIndex:
    """Returns ScaNN over the candidates, tuned on other queries than those of the recall."""
    queries = vectors.queries[-_TUNING_QUERIES:]
    nothing = [np.zeros(0, np.int32)] * len(queries)
    answers = ExactAnswers.find(queries, candidates.numpy(), nothing, K)
    return tuning.tune(candidates, answers, K, _MAX_EXCLUSIONS, _MIN_RECALL, MAX_QUERIES, num_searchers)


def write_indexes(vectors: Vectors, kind: str, num_searchers: int) -> None:
    """Tunes, builds and exports, and writes the report."""
    folder = vectors.folder / "exports"
    start = time.perf_counter()
    trained = tf.saved_model.load(str(folder / "trained"))
    candidates = trained.candidate_embeddings
    indexes: dict[str, ExactIndex | ScannIndex] = {"brute_force": ExactIndex(k=K).index(candidates)}
    params = {}
    if kind == "scann":
        index = tune(vectors, candidates, num_searchers).index
        indexes[kind] = index
        params = {"leaves": index.params.leaves_to_search, "reorder": index.params.reorder}
    for exported, index_of_kind in indexes.items():
        export.save(export.ServedModel(trained, index_of_kind, K), str(folder / "trained"), str(folder / exported))
        export.write_index_file(str(folder / exported), {"kind": exported})
    report = {
        "folder": str(folder / kind),
        "params": params,
        "seconds": round(time.perf_counter() - start, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    (folder / "report.json").write_text(json.dumps(report))


def id_of(row: int) -> str:
    """Returns the id of a candidate."""
    return f"{row:0{_ID_DIGITS}d}"


if __name__ == "__main__":
    of_size = Vectors(pathlib.Path(sys.argv[2]))
    write_trained(of_size) if sys.argv[1] == "trained" else write_indexes(of_size, sys.argv[3], int(sys.argv[4]))
