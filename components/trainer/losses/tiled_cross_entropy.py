"""Cross-entropy over a large catalogue, a tile of candidates at a time.

`corpus_cross_entropy` handles a few queries at a time, whose gradient has a value for every candidate. In a large
catalogue, to add up these gradients takes longer than to score. Here a tile of candidates meets all queries at once,
and its gradient is finished before the next tile. The softmax needs the sum over all tiles first, so that there are
two passes: one for the log-sum-exp of each query, one for the gradients. Scores are computed twice.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

TILE_CELLS = 2**20
"""Scores held at a time: 4 MiB of float32, which stays in a cache."""
MIN_TILE = 64
"""Candidates per tile at least; with thousands of queries, narrower products are slower than a larger tile."""


class Masked(NamedTuple):
    """Candidates that do not count as negatives, given per window, not per query."""

    rows: tf.Tensor
    """int32 [num_windows, n] rows of the candidates, distinct per window, padded with -1."""
    windows: tf.Tensor
    """int32 [num_queries], the row of each query in `rows`."""


def tiled_cross_entropy(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    own: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    masked: Masked | None = None,
) -> tf.Tensor:
    """Returns the weighted sum of -log softmax of each query's own score among those of its negatives.

    With p = exp(score - log-sum-exp), the gradient of a negative's score is weight * p, and that of the own score is
    weight * (p - 1). Memory for scores is `TILE_CELLS`, whatever the number of candidates.

    Args:
      queries: float [num_queries, embedding_dim].
      candidates: float [num_candidates, embedding_dim], the negatives.
      own: float [num_queries], the score of each query's positive. The gradient of the positive goes through it.
      targets: int32 [num_queries], the row of each query's positive in `candidates`, which is not one of its
        negatives; -1 if it is not among them.
      weights: float [num_queries]; constants to the gradient.
      masked: Optional.
    """

    @tf.custom_gradient
    def total(queries: tf.Tensor, candidates: tf.Tensor, own: tf.Tensor) -> tuple[tf.Tensor, object]:
        tiles = _Tiles(queries, candidates, _Cells.of(targets, masked, tf.shape(candidates)[0]))
        normalizers = tiles.log_sum_exp(own)

        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            scale = upstream * weights
            by_query, by_candidate = tiles.gradients(normalizers, scale)
            return by_query, by_candidate, scale * (tf.exp(own - normalizers) - 1.0)

        return tf.reduce_sum(weights * (normalizers - own)), gradients

    return total(queries, candidates, own)


class _Cells(NamedTuple):
    """Cells of the matrix of scores, [num_candidates, num_queries], that are not negatives.

    Masked rows are kept per window and become cells of a tile when they are needed: a window with many targets and
    many masked candidates has their product of cells.
    """

    target_rows: tf.Tensor
    """int32 [num_queries], ascending."""
    target_queries: tf.Tensor
    """int32 [num_queries], the query of each of `target_rows`."""
    masked_rows: tf.Tensor
    """int32 [num_masked], ascending."""
    first: tf.Tensor
    """int32 [num_masked], where the queries of each masked row's window start in `queries`."""
    number: tf.Tensor
    """int32 [num_masked], how many queries this window has."""
    queries: tf.Tensor
    """int32 [num_queries], queries in the order of their windows."""

    @classmethod
    def of(cls, targets: tf.Tensor, masked: Masked | None, num_candidates: tf.Tensor) -> _Cells:
        order = tf.argsort(targets, stable=True)
        none = tf.zeros([0], tf.int32)
        if masked is None:
            return cls(tf.gather(targets, order), order, none, none, none, none)
        present = tf.where((masked.rows >= 0) & (masked.rows < num_candidates))
        rows = tf.gather_nd(masked.rows, present)
        by_row = tf.argsort(rows, stable=True)
        windows = tf.cast(tf.gather(present[:, 0], by_row), tf.int32)
        queries = tf.argsort(masked.windows, stable=True)
        in_order = tf.gather(masked.windows, queries)
        first = tf.searchsorted(in_order, windows, side="left")
        number = tf.searchsorted(in_order, windows, side="right") - first
        return cls(tf.gather(targets, order), order, tf.gather(rows, by_row), first, number, queries)

    def within(self, start: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Returns int32 [n, 2], the cells of the candidates from `start` to `end` as (row - start, query)."""
        targets = _between(self.target_rows, start, end)
        own = tf.stack([self.target_rows[targets] - start, self.target_queries[targets]], axis=1)
        some = _between(self.masked_rows, start, end)
        number = self.number[some]
        ends = tf.cumsum(number)
        # Each masked row becomes as many cells as its window has queries; `offsets` counts within a row.
        offsets = tf.range(tf.reduce_sum(number)) - tf.repeat(ends - number, number)
        queries = tf.gather(self.queries, tf.repeat(self.first[some], number) + offsets)
        return tf.concat([own, tf.stack([tf.repeat(self.masked_rows[some] - start, number), queries], axis=1)], axis=0)


class _Tiles:
    """The two passes over the candidates."""

    def __init__(self, queries: tf.Tensor, candidates: tf.Tensor, cells: _Cells) -> None:
        self._queries = queries
        self._candidates = candidates
        self._cells = cells
        self._corpus = tf.shape(candidates)[0]
        self._size = tf.maximum(TILE_CELLS // tf.maximum(tf.shape(queries)[0], 1), MIN_TILE)

    def log_sum_exp(self, own: tf.Tensor) -> tf.Tensor:
        """Returns [num_queries], over the own score and those of all negatives."""

        def step(start: tf.Tensor, highest: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, ...]:
            _, scores = self._scores(start, tf.zeros_like(own))
            higher = tf.maximum(highest, tf.reduce_max(scores, axis=0))
            # By the difference of two finite maxima: a tile whose cells are all masked leaves both as they are.
            total *= tf.exp(highest - higher)
            return start + self._size, higher, total + tf.reduce_sum(tf.exp(scores - higher), axis=0)

        _, highest, total = tf.while_loop(
            self._unfinished, step, [tf.constant(0), own, tf.ones_like(own)], parallel_iterations=1
        )
        return highest + tf.math.log(total)

    def gradients(self, normalizers: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the gradients by queries and by candidates, each query's multiplied by `scale`."""
        scaled = self._queries * scale[:, tf.newaxis]
        tiles = tf.TensorArray(
            self._candidates.dtype,
            tf.maximum(-(-self._corpus // self._size), 1),
            infer_shape=False,
            element_shape=[None, self._candidates.shape[-1]],
        )

        def step(start: tf.Tensor, by_query: tf.Tensor, tiles: tf.TensorArray) -> tuple[tf.Tensor, ...]:
            candidates, scores = self._scores(start, normalizers)
            shares = tf.exp(scores)
            by_query += tf.matmul(shares, candidates, transpose_a=True)
            return start + self._size, by_query, tiles.write(start // self._size, tf.matmul(shares, scaled))

        _, by_query, tiles = tf.while_loop(
            self._unfinished,
            step,
            [tf.constant(0), tf.zeros_like(self._queries), tiles],
            parallel_iterations=1,
        )
        return by_query * scale[:, tf.newaxis], tiles.concat()

    def _unfinished(self, start: tf.Tensor, *_: object) -> tf.Tensor:
        # There is one tile without candidates, because the result of an empty TensorArray has no shape.
        return start < tf.maximum(self._corpus, 1)

    def _scores(self, start: tf.Tensor, less: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a tile's candidates and their scores [tile, num_queries] minus `less` [num_queries]."""
        candidates = self._candidates[start : start + self._size]
        # TensorFlow fuses the sum of product and bias, which a row per query instead of a column would not allow.
        scores = tf.nn.bias_add(tf.matmul(candidates, self._queries, transpose_b=True), -less)
        cells = self._cells.within(start, start + self._size)
        lowest = tf.fill(tf.shape(cells)[:1], tf.constant(scores.dtype.min / 100.0, scores.dtype))
        return candidates, tf.tensor_scatter_nd_update(scores, cells, lowest)


def _between(ascending: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> slice:
    bounds = tf.searchsorted(ascending, tf.stack([start, end]), side="left")
    return slice(bounds[0], bounds[1])
