"""Approximate search on TFRS' ScaNN layer, with the guarantees of exact search."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import tensorflow as tf
from scann import scann_ops
from tensorflow_recommenders.layers import factorized_top_k

from components.graph import graph_branch
from components.indexer import exact, retrieval
from components.indexer.searcher import Searcher

# Asymmetric hashing clusters each block into 16 centres. ScaNN fails to train on fewer points, and crashes on one.
MIN_CANDIDATES = 16
# ScaNN's thread pool costs 0.3 ms per search, as much as five searches.
_MIN_PARALLEL = 16


@dataclasses.dataclass(frozen=True)
class ScannParams:
    """ScaNN's parameters, which trade recall for speed."""

    num_leaves: int
    """Clusters of the corpus, 2 or more. With one cluster ScaNN returns wrong ids and no error."""

    leaves_to_search: int
    """Clusters whose candidates are scored per query."""

    dimensions_per_block: int
    """Dimensions that share one 4-bit code; fewer are more exact and slower."""

    reorder: int
    """Number of best approximate candidates that are scored exactly, k or more; exclusions are fetched in addition."""


class ScannIndex(factorized_top_k.ScaNN):
    """`ScaNN` with correct answers in edge cases, and without a copy of the candidates.

    TFRS' own layer has four limits. Numbers of searched clusters and of rescored candidates are fixed when the index is
    trained. An empty slot of ScaNN (score NaN) counts as a result. An answer has fewer than k results if the searched
    clusters hold fewer. Excluded candidates are returned if the exclusions use up the results. This class searches a
    query exactly if approximate search cannot answer it in full, independent of the other queries in its batch.

    ScaNN returns its best candidates by approximate score; this class scores them exactly, once. ScaNN's own rescoring
    would need a second copy of the candidates, and rounds in another way than exact search.

    The size of a batch may still change an approximate answer. From a certain size on, which falls with the number of
    searched leaves, ScaNN assigns queries to leaves by another algorithm. In measurements the leaves differ and the
    recall is the same.
    """

    def __init__(self, params: ScannParams, k: int, max_exclusions: int, num_searchers: int = 1) -> None:
        """Sets the parameters; `index` trains the searcher.

        Args:
          params: `params.reorder` must be k or more, or the whole corpus.
          k: Width of an answer.
          max_exclusions: Number of excluded candidates per query, with repeats, that a search fetches in addition to k.
            Queries with longer lists are searched exactly.
          num_searchers: Equal parts of the corpus, each with a searcher of its own. All are searched with the same
            parameters, and their candidates are scored together. ScaNN trains on one part at a time.
        """
        super().__init__(
            k=k,
            num_leaves=params.num_leaves,
            num_leaves_to_search=params.leaves_to_search,
            dimensions_per_block=params.dimensions_per_block,
        )
        self.params = params
        self.deep_params: Mapping[float, ScannParams] = {}
        """Parameters of searches for more candidates than an answer, by their number in answers."""
        self.max_exclusions = max_exclusions
        self._exact = exact.ExactIndex(k=k)
        self._corpus_size = 0
        self._num_searchers = num_searchers
        self._searchers: list[tf.Module] = []

    @property
    def searcher_state(self) -> list[tf.Module]:
        """The trained searchers' tensors; the saved module has to track them."""
        return self._searchers

    @property
    def num_searchers(self) -> int:
        """Parts of the corpus."""
        return self._num_searchers

    def index(self, candidates: tf.Variable, identifiers: tf.Tensor | None = None) -> ScannIndex:
        """Trains the searcher on `candidates`, [corpus_size, embedding_dim], all finite.

        Raises:
          ValueError: ScaNN would crash or answer wrongly with this corpus or these parameters. Or `identifiers` are
            given: an answer consists of rows of `candidates`.
        """
        if identifiers is not None:
            raise ValueError("ScannIndex answers with rows of the corpus; look identifiers up in the answer")
        self._corpus_size = int(candidates.shape[0])
        self._check()
        self._candidates = candidates
        self._exact.index(candidates)
        parts = tf.convert_to_tensor(candidates)
        trained = dataclasses.asdict(self.params)
        del trained["reorder"]
        for start, stop in itertools.pairwise(self._bounds):
            self._searchers.append(Searcher.train(parts[start:stop], self._k, **trained))
        return self

    @property
    def _bounds(self) -> list[int]:
        """The first row of each part, and the end of the last."""
        return [self._corpus_size * part // self._num_searchers for part in range(self._num_searchers + 1)]

    def with_params(self, params: ScannParams, deep_params: Mapping[float, ScannParams] | None = None) -> ScannIndex:
        """Returns an index that uses the same trained searcher with other parameters.

        Args:
          params: The parameters of an answer.
          deep_params: See the attribute; none by default.

        Raises:
          ValueError: `params` differs in the trained `num_leaves` or `dimensions_per_block`, or is invalid.
        """
        trained = (self.params.num_leaves, self.params.dimensions_per_block)
        if (params.num_leaves, params.dimensions_per_block) != trained:
            raise ValueError(f"num_leaves and dimensions_per_block are trained and stay {trained}")
        other = ScannIndex(params, self._k, self.max_exclusions, self._num_searchers)
        # The trained searchers are shared: new ones would take a training of their own.
        other._searchers = self._searchers
        other._candidates = self._candidates
        other._exact = self._exact
        other._corpus_size = self._corpus_size
        other.deep_params = dict(deep_params or {})
        other._check()
        return other

    def _check(self) -> None:
        size, params = self._corpus_size // self._num_searchers, self.params
        if size < MIN_CANDIDATES:
            raise ValueError(
                f"ScaNN needs {MIN_CANDIDATES} candidates or more per searcher, got {size}; use exact search"
            )
        # ScaNN raises for more leaves than candidates. With one leaf it returns wrong ids (measured recall 0.00 to
        # 0.06).
        if not 2 <= params.num_leaves <= size:
            raise ValueError(f"num_leaves must be 2 to {size}, got {params.num_leaves}")
        if not 1 <= params.leaves_to_search <= params.num_leaves:
            raise ValueError(f"leaves_to_search must be 1 to {params.num_leaves}, got {params.leaves_to_search}")
        if params.reorder < min(size, self._k):
            raise ValueError(f"reorder={params.reorder} is less than k={self._k}: ScaNN would return only that many")

    def call(self, queries: tf.Tensor, k: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the results of approximate search, which may be fewer than k.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          k: Width of the answer, at most the constructor's, which is the default.

        Returns:
          scores [batch, k] and rows [batch, k] int32, padded with the lowest finite float and -1.
        """
        return self.approximate(queries, tf.fill([tf.shape(queries)[0], 1], retrieval.NO_ROW), k)[:2]

    def fetch(
        self,
        queries: tf.Tensor,
        exclusions: tf.Tensor,
        leaves_to_search: int | tf.Tensor | None = None,
        reorder: int | tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the candidates to score exactly.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          leaves_to_search: Replaces `params.leaves_to_search`.
          reorder: Replaces `params.reorder`.

        Returns:
          Rows [batch, num_searchers * width] int32, each searcher's best by ScaNN's approximate score first;
          `is_candidate`, bool of the same shape, which is not set for an excluded row and for an empty slot; and the
          number of excluded rows, [batch], with repeats.
        """
        num_excluded = retrieval.count_found(exclusions)
        # Not `if` statements with assignments to parameters: AutoGraph then loses the parameters' defaults.
        leaves = self.params.leaves_to_search if leaves_to_search is None else leaves_to_search
        num_rescored = self.params.reorder if reorder is None else reorder
        # A query with a longer list is searched exactly, so the width does not depend on it.
        wanted = num_rescored + tf.where(num_excluded <= self.max_exclusions, num_excluded, 0)
        # At least 1, because the maximum of an empty batch is the lowest integer.
        width = tf.maximum(tf.reduce_max(wanted), 1)
        # ScaNN refuses a whole batch for one value that is not finite.
        searched = tf.where(tf.math.is_finite(queries), queries, 0.0)
        found = [self._search(part, searched, width, leaves) for part in range(self._num_searchers)]
        position = tf.range(tf.shape(found[0][0])[1])
        if self._num_searchers == 1:
            [(rows, is_found)] = found
        else:
            rows = tf.concat([_of_width(part_rows, width, 0) for part_rows, _ in found], axis=1)
            is_found = tf.concat([_of_width(part_found, width, False) for _, part_found in found], axis=1)
            position = tf.range(tf.shape(rows)[1]) % width
        # Another query of the batch may want more of each searcher.
        is_candidate = is_found & (position < wanted[:, tf.newaxis])
        return rows, is_candidate & ~retrieval.contains(exclusions, rows), num_excluded

    def _search(
        self, part: int, queries: tf.Tensor, width: tf.Tensor, leaves: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a searcher's rows, [batch, at most width], best first, and whether each is a result."""
        first, end = self._bounds[part], self._bounds[part + 1]
        width = tf.minimum(width, end - first)
        # ScaNN's searcher takes the numbers of clusters and of results per search, so one trained index can be tuned.
        # TFRS' own call does not pass them on.
        rows, scores = scann_ops.scann_search_batched(
            self._searchers[part].handle(),
            queries,
            width,
            width,
            leaves,
            tf.shape(queries)[0] >= _MIN_PARALLEL,
        )
        # An empty slot has the score NaN and the row of some real candidate.
        return rows + first if first else rows, tf.math.is_finite(scores)

    def rank(self, queries: tf.Tensor, rows: tf.Tensor, keep: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scores [batch, k] and rows [batch, k] of the best rows to keep, scored exactly."""
        return retrieval.rank_rows(queries, self._candidates, rows, keep, k)

    def search_exactly(self, queries: tf.Tensor, exclusions: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the answer of exact search over the same candidates; see `ExactIndex.query_with_exclusions`."""
        return self._exact.query_with_exclusions(queries, exclusions, k)

    def approximate(
        self, queries: tf.Tensor, exclusions: tf.Tensor, k: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the answer of approximate search without the excluded candidates.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          k: Width of the answer, at most the constructor's, which is the default.

        Returns:
          scores [batch, k], rows [batch, k] and `is_answered`, bool [batch]. A query is answered in full if its
          exclusions do not exceed `max_exclusions` and the searched clusters hold k candidates.
        """
        width = self._k if k is None else k
        rows, is_candidate, num_excluded = self.fetch(queries, exclusions)
        scores, rows = self.rank(queries, rows, is_candidate, width)
        is_full = rows[:, -1] != retrieval.NO_ROW
        return scores, rows, is_full & (num_excluded <= self.max_exclusions)

    def query_with_exclusions(
        self, queries: tf.Tensor, exclusions: tf.Tensor, k: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best k candidates that are not excluded.

        Args:
          queries: [batch, embedding_dim] query embeddings; one that is not finite has an empty answer.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          k: Width of the answer, at most the constructor's, which is the default.

        Returns:
          scores [batch, k] and rows [batch, k] int32, best first. Ties are in the order of the corpus. The padding is
          the lowest finite float and -1; it occurs only if the corpus has no more candidates.
        """
        k = self._k if k is None else k
        scores, rows, is_answered = self.approximate(queries, exclusions, k)

        @graph_branch
        def complete(
            queries: tf.Tensor, exclusions: tf.Tensor, scores: tf.Tensor, rows: tf.Tensor, is_answered: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            unanswered = tf.where(~is_answered)
            # tf.gather, because tf.gather_nd fails on exclusions without columns.
            lines = unanswered[:, 0]
            exact_scores, exact_rows = self.search_exactly(tf.gather(queries, lines), tf.gather(exclusions, lines), k)
            return (
                tf.tensor_scatter_nd_update(scores, unanswered, exact_scores),
                tf.tensor_scatter_nd_update(rows, unanswered, exact_rows),
            )

        return tf.cond(
            tf.reduce_all(is_answered),
            lambda: (scores, rows),
            lambda: complete(queries, exclusions, scores, rows, is_answered),
        )


def _of_width(values: tf.Tensor, width: tf.Tensor, fill: int | bool) -> tf.Tensor:
    return tf.pad(values, [[0, 0], [0, width - tf.shape(values)[1]]], constant_values=fill)
