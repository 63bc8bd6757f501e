"""SavedModels that break one rule each; all have the signatures of the contract."""

from __future__ import annotations

import pathlib

import tensorflow as tf

from components.indexer import export
from components.indexer.exact import ExactIndex
from shortlist import keys


class Careless(ExactIndex):
    """Searches correctly, but ignores all exclusions."""

    def query_with_exclusions(self, queries, exclusions, k=None):
        return super().query_with_exclusions(queries, exclusions[:, :0], k)


class Repeating(ExactIndex):
    """Answers with the best candidate twice."""

    def query_with_exclusions(self, queries, exclusions, k=None):
        scores, rows = super().query_with_exclusions(queries, exclusions, k)
        return scores, tf.concat([rows[:, :1], rows[:, :1], rows[:, 2:]], axis=1)


class NotANumber(ExactIndex):
    """Scores the best candidate NaN."""

    def query_with_exclusions(self, queries, exclusions, k=None):
        scores, rows = super().query_with_exclusions(queries, exclusions, k)
        return tf.concat([scores[:, :1] * float("nan"), scores[:, 1:]], axis=1), rows


class Raising(ExactIndex):
    """Fails on every query."""

    def query_with_exclusions(self, queries, exclusions, k=None):
        with tf.control_dependencies([tf.debugging.assert_less(tf.size(queries), 0, "out of order")]):
            return super().query_with_exclusions(queries, exclusions, k)


def save(trained_dir: pathlib.Path, root: pathlib.Path, index_class: type[ExactIndex], k: int) -> str:
    """Exports `trained_dir` with such an index, and returns the folder."""
    trained = tf.saved_model.load(str(trained_dir))
    model = export.ServedModel(trained, index_class(k=k).index(trained.candidate_embeddings), k)
    path = str(root / index_class.__name__)
    export.save(model, str(trained_dir), path)
    export.write_index_file(path, {"kind": "brute_force", keys.K: k, "recall_at_k": 1.0})
    return path
