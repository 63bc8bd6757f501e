"""Approximate search on TFRS' ScaNN layer, made to keep exact search's promises."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
from scann import scann_ops
from tensorflow_recommenders.layers import factorized_top_k

from components.indexer import exact, retrieval

# Asymmetric hashing clusters each block into 16 centres: ScaNN fails to train on fewer points, and crashes on one.
MIN_CANDIDATES = 16


@dataclasses.dataclass(frozen=True)
class ScannParams:
    """What ScaNN trades recall for speed with."""

    num_leaves: int
    """Clusters of the corpus; 2 or more: with one, ScaNN answers with wrong ids and no error."""

    leaves_to_search: int
    """Clusters whose candidates are scored for a query."""

    dimensions_per_block: int
    """Dimensions that share one 4-bit code: fewer is more exact and slower."""

    reorder: int
    """Best approximate candidates that are scored again exactly; bounds the width of an answer."""


class ScannIndex(factorized_top_k.ScaNN):
    """`ScaNN` whose answers also hold at the edges.

    Where TFRS' own layer falls short: what it searches and rescores is fixed when the index is trained, it takes a
    slot that ScaNN left empty (score NaN) for a result, it returns fewer than k results where the searched clusters
    hold fewer, and excluded candidates where the exclusions use up the results. Here each query that the approximate
    search cannot answer in full is searched exactly, whatever else is in its batch.

    The size of a batch may still change an approximate answer: from some size on, which falls with the leaves that are
    searched, ScaNN assigns queries to leaves by another algorithm. Measured, recall is the same; the leaves are not.
    """

    def __init__(self, params: ScannParams, k: int, max_exclusions: int) -> None:
        """Keeps the parameters; `index` trains.

        Args:
          params: `params.reorder` must cover k and the exclusions, or the whole corpus.
          k: Width of an answer.
          max_exclusions: Distinct excluded candidates a query that are over-fetched for; longer lists are searched
            exactly.
        """
        super().__init__(
            k=k,
            num_leaves=params.num_leaves,
            num_leaves_to_search=params.leaves_to_search,
            dimensions_per_block=params.dimensions_per_block,
            num_reordering_candidates=params.reorder,
        )
        self.params = params
        self.max_exclusions = max_exclusions
        self._exact = exact.ExactIndex(k=k)
        self._corpus_size = 0

    @property
    def searcher_state(self) -> tf.Module:
        """The trained searcher's tensors, to be tracked by the module that is saved."""
        return self._serialized_searcher

    def index(self, candidates: tf.Variable, identifiers: tf.Tensor | None = None) -> ScannIndex:
        """Trains the searcher on `candidates`, [corpus_size, embedding_dim], all finite.

        Raises:
          ValueError: The corpus or the parameters are such that ScaNN would crash or answer wrongly, or `identifiers`
            are given: an answer names rows of `candidates`.
        """
        if identifiers is not None:
            raise ValueError("ScannIndex answers with rows of the corpus; look identifiers up in the answer")
        self._corpus_size = int(candidates.shape[0])
        self._check()
        self._candidates = candidates
        self._exact.index(candidates)
        super().index(tf.convert_to_tensor(candidates))
        return self

    def with_params(self, params: ScannParams) -> ScannIndex:
        """Returns an index that searches the same trained searcher with other parameters.

        Raises:
          ValueError: `params` has other clusters than this index was trained with, or cannot work.
        """
        trained = (self.params.num_leaves, self.params.dimensions_per_block)
        if (params.num_leaves, params.dimensions_per_block) != trained:
            raise ValueError(f"num_leaves and dimensions_per_block are trained and stay {trained}")
        other = ScannIndex(params, self._k, self.max_exclusions)
        other._serialized_searcher = self._serialized_searcher
        other._candidates = self._candidates
        other._exact = self._exact
        other._corpus_size = self._corpus_size
        other._check()
        return other

    def _check(self) -> None:
        size, params = self._corpus_size, self.params
        if size < MIN_CANDIDATES:
            raise ValueError(f"ScaNN needs {MIN_CANDIDATES} candidates or more, got {size}; use exact search")
        if not 2 <= params.num_leaves <= size:
            raise ValueError(f"num_leaves must be 2 to {size}, got {params.num_leaves}")
        if not 1 <= params.leaves_to_search <= params.num_leaves:
            raise ValueError(f"leaves_to_search must be 1 to {params.num_leaves}, got {params.leaves_to_search}")
        if params.reorder < min(size, self._k + self.max_exclusions):
            raise ValueError(
                f"reorder={params.reorder} is less than k={self._k} + max_exclusions={self.max_exclusions}: "
                "ScaNN would return only that many"
            )

    def call(self, queries: tf.Tensor, k: int | tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what ScaNN finds, with no promise on its number.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          k: Most results; a tensor if need be.

        Returns:
          scores [batch, min(k, corpus_size)] and rows, int32, the lowest finite float and -1 where nothing was found.
        """
        return self._search(queries, self._k if k is None else k, self.params.leaves_to_search, self.params.reorder)

    def _search(
        self, queries: tf.Tensor, k: int | tf.Tensor, leaves_to_search: int | tf.Tensor, reorder: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # Not TFRS' own call: its searcher takes the number of clusters and of rescored candidates a search, which
        # lets one trained index be tuned, but TFRS does not hand them on.
        searcher = scann_ops.searcher_from_module(self._serialized_searcher)
        rows, scores = searcher.search_batched_parallel(
            queries,
            final_num_neighbors=tf.minimum(k, self._corpus_size),
            pre_reorder_num_neighbors=tf.minimum(reorder, self._corpus_size),
            leaves_to_search=leaves_to_search,
        )
        is_found = tf.math.is_finite(scores)
        return tf.where(is_found, scores, retrieval.LOWEST), tf.where(is_found, rows, retrieval.NO_ROW)

    def approximate(
        self,
        queries: tf.Tensor,
        exclusions: tf.Tensor,
        k: int,
        leaves_to_search: int | tf.Tensor | None = None,
        reorder: int | tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns ScaNN's own answer without what is excluded.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          exclusions: [batch, num_excluded] int32 rows, -1 is none.
          k: Width of the answer.
          leaves_to_search: In place of `params.leaves_to_search`.
          reorder: In place of `params.reorder`.

        Returns:
          scores [batch, k], rows [batch, k] and whether a query was answered in full, bool [batch]: its exclusions
          were few enough, and the clusters that were searched held enough.
        """
        exclusions = retrieval.sort_rows(exclusions)
        num_excluded = retrieval.count_distinct(exclusions)
        is_short_list = num_excluded <= self.max_exclusions
        scores, rows = self._search(
            queries,
            k + tf.reduce_max(tf.where(is_short_list, num_excluded, 0)),
            self.params.leaves_to_search if leaves_to_search is None else leaves_to_search,
            self.params.reorder if reorder is None else reorder,
        )
        scores, rows = retrieval.top_rows(scores, rows, ~retrieval.contains(exclusions, rows), k)
        num_wanted = tf.minimum(k, self._corpus_size - num_excluded)
        return scores, rows, is_short_list & (retrieval.count_found(rows) >= num_wanted)

    def query_with_exclusions(
        self, queries: tf.Tensor, exclusions: tf.Tensor, k: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best k that are not excluded.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          exclusions: [batch, num_excluded] int32 rows, -1 is none.
          k: Width of the answer, at most the constructor's, which it is unless given.

        Returns:
          scores [batch, k] and rows [batch, k] int32, best first, ties in the order of the corpus, padded with the
          lowest finite float and -1 only where the corpus has no more.
        """
        k = self._k if k is None else k
        _, rows, is_answered = self.approximate(queries, exclusions, k)
        scores, rows = retrieval.rank_rows(queries, self._candidates, rows)
        unanswered = tf.where(~is_answered)

        def search_exactly() -> tuple[tf.Tensor, tf.Tensor]:
            # Not gather_nd, which fails on exclusions without any column.
            lines = unanswered[:, 0]
            exact_scores, exact_rows = self._exact.query_with_exclusions(
                tf.gather(queries, lines), tf.gather(exclusions, lines), k
            )
            return (
                tf.tensor_scatter_nd_update(scores, unanswered, exact_scores),
                tf.tensor_scatter_nd_update(rows, unanswered, exact_rows),
            )

        return tf.cond(tf.shape(unanswered)[0] > 0, search_exactly, lambda: (scores, rows))
