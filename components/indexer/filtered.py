"""Search of what passes the filters: over-fetching from ScaNN, or exact search of a query's passing rows.

A candidate is the better, the higher its score, whether it passes or not. If the best of the whole corpus are fetched
and k of them pass, these are the best k that pass. The number to fetch grows with one over the share that passes. The
Indexer tunes ScaNN for some depths; beyond them, what passes is searched exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.graph import gather_rows, graph_branch
from components.indexer import retrieval
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.scann_index import ScannIndex

# Passing rows are gathered up to this share of the corpus; above it, all scores are computed and masked. CPU time at
# 200,000 candidates of 64 dimensions, gathered and masked: 2.0 and 4.0 ms at 12.5%, 3.1 and 3.9 at 20%, 4.5 and 3.8 at
# 30%, 7.0 and 3.9 at 50%.
_MAX_GATHERED = 0.25
# Where a condition lets at most this share of the corpus pass, its rows are listed, without a look at the others. A
# mask takes time in proportion to the corpus. A listed row takes some 0.1 us for its score, and as much per further
# category attribute of the request.
_MAX_LISTED = 0.02
# The wanted number of candidates that pass may need more than wanted / share: their number among the best varies.
_DEVIATIONS = 2.0
# Products of matrices round differently by position. With more rows than wanted, equal candidates at the end of the
# answer are ranked again, by scores that do not differ.
_SPARE_ROWS = 32

_Inputs = dict[str, tf.Tensor]


class FilteredSearch:
    """Searches the corpus of an index under filters."""

    def __init__(
        self, index: ExactIndex | ScannIndex, candidates: tf.Variable, filters: AttributeFilters, k: int
    ) -> None:
        """Combines an index with filters of the same corpus.

        Args:
          index: The index; an exact one is not asked, since its candidates are searched here.
          candidates: [corpus_size, embedding_dim].
          filters: Filters by row of the corpus.
          k: The width that the index was tuned for.
        """
        self._index = index
        self._candidates = candidates
        self._size = int(candidates.shape[0])
        self._filters = filters
        self._k = k

    def search(
        self, queries: tf.Tensor, exclusions: tf.Tensor, inputs: _Inputs, k: tf.Tensor, width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the best candidates that pass and are not excluded.

        Args:
          queries: [batch, embedding_dim] finite query embeddings.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          inputs: The filters' inputs, see `AttributeFilters.specs`.
          k: [batch] int32, the wanted number of results.
          width: Width of the answer, an int32 scalar.

        Returns:
          scores [batch, width] and rows [batch, width], best first, ties in the order of the corpus, padded with the
          lowest finite float and -1. There are min(k, width) results if as many pass.
        """
        batch = tf.shape(queries)[0]
        share, listed = self._filters.shares(inputs, batch)
        if isinstance(self._index, ExactIndex):
            scores = tf.fill([batch, width], retrieval.LOWEST)
            rows = tf.fill([batch, width], retrieval.NO_ROW)
            return self._search_exactly(queries, exclusions, inputs, listed, scores, rows, tf.zeros([batch], tf.bool))
        wanted = tf.clip_by_value(k, 0, width)
        scale = self._scale(tf.cast(wanted, tf.float32), share)
        # Beyond the tuned depths, exact search of what passes is as quick.
        may_fetch = (scale <= max(self._index.deep_params, default=1)) & (share > 0.0)

        @graph_branch
        def fetch(
            queries: tf.Tensor,
            exclusions: tf.Tensor,
            scale: tf.Tensor,
            wanted: tf.Tensor,
            width: tf.Tensor,
            **inputs: tf.Tensor,
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            return self._fetch(queries, exclusions, inputs, scale, wanted, width)

        def skip() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            shape = [batch, width]
            return tf.fill(shape, retrieval.LOWEST), tf.fill(shape, retrieval.NO_ROW), tf.zeros_like(may_fetch)

        scores, rows, is_answered = tf.cond(
            tf.reduce_any(may_fetch),
            lambda: fetch(queries, exclusions, tf.where(may_fetch, scale, 1.0), wanted, width, **inputs),
            skip,
        )
        is_answered &= may_fetch
        return self._search_exactly(queries, exclusions, inputs, listed, scores, rows, is_answered)

    def _scale(self, wanted: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Returns how many candidates to fetch, in answers of `index.k`, float32 [batch], at least 1.

        The number of candidates until `wanted` of them pass has a negative binomial distribution if attributes do not
        depend on scores. Its mean is wanted / share, its standard deviation sqrt(wanted (1 - share)) / share.
        """
        slack = _DEVIATIONS * tf.sqrt(wanted * (1.0 - share))
        return tf.maximum((wanted + slack) / (self._k * tf.maximum(share, 1e-9)), 1.0)

    def _fetch(
        self,
        queries: tf.Tensor,
        exclusions: tf.Tensor,
        inputs: _Inputs,
        scale: tf.Tensor,
        wanted: tf.Tensor,
        width: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns scores and rows [batch, width] of approximate search, and whether it found as many as wanted."""
        assert isinstance(self._index, ScannIndex)
        levels = [(1.0, self._index.params), *sorted(self._index.deep_params.items())]
        depths = tf.constant([depth for depth, _ in levels], tf.float32)
        level = tf.reduce_sum(tf.cast(scale[:, tf.newaxis] > depths, tf.int32), axis=-1)
        reorder = tf.gather([params.reorder for _, params in levels], level)
        # The leaves are those of the whole batch.
        leaves = tf.reduce_max(tf.gather([params.leaves_to_search for _, params in levels], level))
        rows, is_candidate, num_excluded = self._index.fetch(queries, exclusions, leaves, reorder)
        all_scores = retrieval.score_rows(queries, self._candidates, rows)
        keep = is_candidate & self._filters.passes(inputs, rows)
        scores, found = retrieval.top_rows(all_scores, rows, keep, width)
        is_full = retrieval.count_found(found) >= wanted
        # ScaNN was tuned for a depth. Attributes may depend on scores: where the last result lies deeper, better ones
        # may be missing.
        last = tf.gather(scores, tf.maximum(wanted - 1, 0), axis=1, batch_dims=1)[:, tf.newaxis]
        num_better = tf.reduce_sum(tf.cast(is_candidate & (all_scores >= last), tf.int32), axis=-1)
        is_tuned = num_better <= tf.cast(self._k * tf.gather(depths, level), tf.int32)
        return scores, found, is_full & is_tuned & (num_excluded <= self._index.max_exclusions)

    def _search_exactly(
        self,
        queries: tf.Tensor,
        exclusions: tf.Tensor,
        inputs: _Inputs,
        listed: tf.Tensor,
        scores: tf.Tensor,
        rows: tf.Tensor,
        is_answered: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the answers, those that are not answered yet by exact search."""

        @graph_branch
        def search(
            queries: tf.Tensor,
            exclusions: tf.Tensor,
            listed: tf.Tensor,
            scores: tf.Tensor,
            rows: tf.Tensor,
            is_answered: tf.Tensor,
            **inputs: tf.Tensor,
        ) -> tuple[tf.Tensor, tf.Tensor]:
            unanswered = tf.where(~is_answered)
            lines = unanswered[:, 0]
            width = tf.shape(scores)[1]
            found_scores, found_rows = one_by_one(
                lambda line: self._search_line(
                    tf.gather(queries, line),
                    tf.gather(exclusions, line),
                    {name: tf.gather(value, line) for name, value in inputs.items()},
                    tf.gather(listed, line),
                    width,
                ),
                lines,
                width,
            )
            return (
                tf.tensor_scatter_nd_update(scores, unanswered, found_scores),
                tf.tensor_scatter_nd_update(rows, unanswered, found_rows),
            )

        found: tuple[tf.Tensor, tf.Tensor] = tf.cond(
            tf.reduce_all(is_answered),
            lambda: (scores, rows),
            lambda: search(queries, exclusions, listed, scores, rows, is_answered, **inputs),
        )
        return found

    def _search_line(
        self, query: tf.Tensor, exclusions: tf.Tensor, inputs: _Inputs, listed: tf.Tensor, width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns scores [width] and rows [width] of exact search for one query, without batch axes."""

        @graph_branch
        def search_listed() -> tuple[tf.Tensor, tf.Tensor]:
            shortest = tf.argmin(listed, output_type=tf.int32)
            rows, passed = (it[tf.newaxis] for it in self._filters.listed(inputs, shortest))
            keep = passed & ~retrieval.contains(exclusions[tf.newaxis], rows)
            scores, rows = retrieval.rank_rows(query[tf.newaxis], self._candidates, rows, keep, width)
            return scores[0], rows[0]

        @graph_branch
        def search_all() -> tuple[tf.Tensor, tf.Tensor]:
            mask = without_rows(self._filters.mask(inputs, self._size), exclusions)
            return search_masked(query, tf.convert_to_tensor(self._candidates), mask, width)

        if not self._filters.specs:
            return search_all()
        found: tuple[tf.Tensor, tf.Tensor] = tf.cond(tf.reduce_min(listed) <= _MAX_LISTED, search_listed, search_all)
        return found


def one_by_one(
    search: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]], lines: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns scores [num_lines, width] and rows of the same shape, of a search of one line after the other.

    The passing rows of the queries of a batch differ in number, and memory would grow with both.

    Args:
      search: Takes a line, a scalar, and returns scores [width] and rows [width].
      lines: [num_lines] positions in the batch.
      width: Width of the answer, an int32 scalar.
    """

    def search_some() -> tuple[tf.Tensor, tf.Tensor]:
        scores, rows = tf.map_fn(search, lines, fn_output_signature=(tf.float32, tf.int32), parallel_iterations=1)
        return tf.ensure_shape(scores, [None, None]), tf.ensure_shape(rows, [None, None])

    # tf.map_fn does not know the shape of what no line gives.
    return tf.cond(tf.size(lines) > 0, search_some, lambda: (tf.zeros([0, width]), tf.zeros([0, width], tf.int32)))


def without_rows(mask: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns a mask [corpus_size] that is not set for some rows, [num_rows] int32, padded with -1."""
    named = tf.boolean_mask(rows, rows != retrieval.NO_ROW)[:, tf.newaxis]
    return tf.tensor_scatter_nd_update(mask, named, tf.zeros_like(named[:, 0], tf.bool))


def search_masked(
    query: tf.Tensor, candidates: tf.Tensor, mask: tf.Tensor, width: tf.Tensor, weights: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the best rows of a mask for one query by exact search, best first.

    Args:
      query: [embedding_dim].
      candidates: [corpus_size, embedding_dim].
      mask: bool [corpus_size].
      width: Width of the answer, an int32 scalar.
      weights: float32 [corpus_size], factors for the scores; all 1 by default.

    Returns:
      scores [width] and rows [width], ties in the order of the corpus, padded with the lowest finite float and -1.
    """
    size = int(candidates.shape[0])
    number = tf.reduce_sum(tf.cast(mask, tf.int32))
    num_ranked = tf.minimum(number, width + _SPARE_ROWS)

    def weighted(scores: tf.Tensor, rows: tf.Tensor | None = None) -> tf.Tensor:
        if weights is None:
            return scores
        return scores * (weights if rows is None else tf.gather(weights, rows))

    def gather() -> tf.Tensor:
        passing = tf.cast(tf.where(mask)[:, 0], tf.int32)
        scores = weighted(tf.linalg.matvec(gather_rows(candidates, passing), query), passing)
        return tf.gather(passing, tf.math.top_k(scores, k=num_ranked).indices)

    def score_all() -> tf.Tensor:
        scores = tf.where(mask, weighted(tf.linalg.matvec(candidates, query)), retrieval.LOWEST)
        return tf.math.top_k(scores, k=num_ranked).indices

    best = tf.cond(number <= int(size * _MAX_GATHERED), gather, score_all)[tf.newaxis]
    scores = weighted(retrieval.score_rows(query[tf.newaxis], candidates, best), best)
    scores, rows = retrieval.top_rows(scores, best, tf.ones_like(best, tf.bool), width)
    return scores[0], rows[0]
