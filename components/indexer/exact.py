"""Exact search on TFRS' BruteForce layer."""

from __future__ import annotations

import tensorflow as tf
from tensorflow_recommenders.layers import factorized_top_k

from components.indexer import retrieval


class ExactIndex(factorized_top_k.BruteForce):
    """`BruteForce` with correct answers in edge cases.

    TFRS' own layer copies the embeddings, which the model already has. It also raises an error if k plus the width of
    the exclusions exceeds the corpus.
    """

    def index(self, candidates: tf.Variable, identifiers: tf.Tensor | None = None) -> ExactIndex:
        """Searches `candidates`, [corpus_size, embedding_dim], in place: the variable is shared, not copied.

        Raises:
          ValueError: `identifiers` are given; an answer consists of rows of `candidates`.
        """
        if identifiers is not None:
            raise ValueError("ExactIndex answers with rows of the corpus; look identifiers up in the answer")
        self._candidates = candidates
        return self

    def call(self, queries: tf.Tensor, k: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scores [batch, k] and rows [batch, k]; rows are -1 past the end of a corpus smaller than k."""
        return self.query_with_exclusions(queries, tf.zeros([tf.shape(queries)[0], 0], tf.int32), k)

    def query_with_exclusions(
        self, queries: tf.Tensor, exclusions: tf.Tensor, k: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best k candidates that are not excluded.

        Args:
          queries: [batch, embedding_dim] query embeddings; one that is not finite has an empty answer.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          k: Width of the answer; by default the constructor's.

        Returns:
          scores [batch, k] and rows [batch, k] int32, best first. Ties are in the order of the corpus. The padding is
          the lowest finite float and -1.
        """
        width = self._k if k is None else k
        candidates = tf.convert_to_tensor(self._candidates)
        rows, keep = retrieval.top_of_corpus(self._compute_score(queries, candidates), exclusions, width)
        return retrieval.rank_rows(queries, candidates, rows, keep, width)
