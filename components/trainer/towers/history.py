"""The query tower that reads the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from components.trainer.features import FeatureEncoder, FeatureSpec
from components.trainer.intervals import UNKNOWN, GapEmbedding, interval_biases, interval_buckets
from components.trainer.noise import Noise, dropout, keep_mask
from components.trainer.query_time import QueryTimeEmbedding, add_time
from components.trainer.towers.block import CausalBlock
from components.trainer.towers.encoders import embed_values, make_encoder, tables_of
from components.trainer.towers.layers import LayerNorm
from shortlist.config.model import HistoryTowerSection

_INITIALIZER = tf.keras.initializers.RandomNormal
_TIME_DROPOUT = 0.1
"""Fraction of train windows, redrawn each step, whose times are unknown: requests may lack `history_times`, too."""


class HistoryTower(tf.keras.layers.Layer):
    """Causal self-attention over the candidate embeddings of the history.

    The sequence is a start token, made from the query's features, and the items, oldest first. The output at position p
    attends to the start token and the first p items, and predicts the next item. Padding is at the right, where causal
    attention never looks, so it needs no mask.
    """

    reads_history = True

    def __init__(
        self,
        config: HistoryTowerSection,
        specs: Sequence[FeatureSpec],
        max_items: int,
        embedding_dim: int,
        query_time: QueryTimeEmbedding | None = None,
        history_specs: Sequence[FeatureSpec] = (),
        context_specs: Sequence[FeatureSpec] = (),
    ) -> None:
        """Makes the blocks; `max_items` is the maximum number of items in a sequence."""
        super().__init__()
        self._query_time = query_time
        self._cold_start_fraction = config.cold_start_fraction
        self._dropout_rate = config.dropout
        self._encoder = make_encoder(specs, embedding_dim, config.dropout)
        # Without dropout of their own: the sum of an item and its features has dropout.
        self._item_features = make_encoder(history_specs, embedding_dim, 0.0)
        self._context = make_encoder(context_specs, embedding_dim, config.dropout)
        self._start = self.add_weight(
            name="start_token",
            shape=(1, embedding_dim),
            initializer=_INITIALIZER(stddev=embedding_dim**-0.5),
        )
        self._position_table = self.add_weight(
            name="position_embedding",
            shape=(max_items + 1, embedding_dim),
            initializer=_INITIALIZER(stddev=0.02),
        )
        # Both time inputs were measured on MovieLens 100K: eval NDCG@10 0.1555 with them, 0.1448 without.
        self._gaps = GapEmbedding(embedding_dim) if config.time_intervals else None
        self._blocks = [CausalBlock(config, embedding_dim, max_items + 1) for _ in range(config.blocks)]
        self._norm = LayerNorm(embedding_dim)

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of vocabularies."""
        return tables_of(None, self._encoder, self._item_features, self._context)

    @property
    def ids(self) -> tf.Variable | None:
        """None: the tower has no embeddings of query ids."""
        return None

    @property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder of the query's features; None without features."""
        return self._encoder

    @property
    def log_encoders(self) -> tuple[FeatureEncoder | None, ...]:
        """The encoders of features of the log's rows: of the history's items and of the request."""
        return self._item_features, self._context

    @property
    def query_time(self) -> QueryTimeEmbedding | None:
        """The embedding of a query's time."""
        return self._query_time

    def call(
        self,
        features: Mapping[str, tf.Tensor],
        items: tf.Tensor,
        windows: tf.Tensor,
        positions: tf.Tensor,
        times: tf.Tensor,
        clock: tf.Tensor | None = None,
        item_features: Mapping[str, tf.Tensor] | None = None,
        context: Mapping[str, tf.Tensor] | None = None,
        noise: Noise | None = None,
    ) -> tf.Tensor:
        """Returns [n, embedding_dim], one vector for each (window, position) pair.

        Args:
          features: Transformed query features and `query_id`, [batch, ...] each.
          items: [batch, length, embedding_dim], the candidate tower's embeddings, oldest first.
          windows: [n] rows of the batch.
          positions: [n], the number of the window's items that each output attends to.
          times: float32 [n], each output's time, from 0 (the first train target) to 1 (the last).
          clock: int64 [batch, length + 1]: per position the time of the next item, and at the last position the time of
            the query; 0 where unknown. All times are unknown by default.
          item_features: Transformed features of the items' rows in the log, [batch, length] each.
          context: Transformed features of the requests, [n] each.
          noise: Source of dropout; None outside of training.
        """
        batch, length = tf.shape(items)[0], tf.shape(items)[1]
        start = tf.tile(self._start, [batch, 1])
        if self._encoder is not None:
            start += self._encoder(features, noise=noise)
        # Position 0 attends to the start token alone: a target moved there is predicted from an empty history.
        has_history = keep_mask(tf.shape(positions), self._cold_start_fraction, noise)
        positions = tf.where(has_history, positions, 0)
        if self._item_features is not None:
            items += embed_values(self._item_features, item_features, noise)
        hidden = tf.concat([start[:, tf.newaxis], items], axis=1)
        hidden += self._position_table[: length + 1]
        biases: Sequence[tf.Tensor | None] = [None] * len(self._blocks)
        if self._gaps is not None:
            has_times = keep_mask([batch, 1], _TIME_DROPOUT, noise)
            if clock is None:
                clock = tf.fill([batch, length + 1], tf.constant(UNKNOWN, tf.int64))
            clock = tf.where(has_times, clock, UNKNOWN)
            hidden += self._gaps(clock)
            layers = [block.intervals for block in self._blocks if block.intervals is not None]
            biases = interval_biases(layers, interval_buckets(clock))
        hidden = dropout(hidden, self._dropout_rate, noise)
        for block, bias in zip(self._blocks[:-1], biases[:-1], strict=True):
            hidden = block(hidden, bias=bias, noise=noise)
        # The last block computes only the requested positions: attention still reads all of them.
        outputs = windows * (length + 1) + positions
        added = None if self._context is None else embed_values(self._context, context, noise)
        hidden = self._blocks[-1](hidden, bias=biases[-1], outputs=outputs, added=added, noise=noise)
        queries = self._norm(hidden)
        if noise is not None and self._cold_start_fraction:
            has_features = has_history | keep_mask(tf.shape(positions), 0.5, noise)
            queries = tf.where(has_features[:, tf.newaxis], queries, self._embed_anonymous(noise))
        return add_time(queries, self._query_time, times)

    def _embed_anonymous(self, noise: Noise) -> tf.Tensor:
        """Returns [1, embedding_dim]: a query with neither history nor features, from the start token alone."""
        start = self._start + self._position_table[:1]
        if self._gaps is not None:
            start += self._gaps(tf.constant([[UNKNOWN]], tf.int64))[0]
        hidden = dropout(start, self._dropout_rate, noise)[tf.newaxis]
        for block in self._blocks:
            hidden = block(hidden, noise=noise)
        return self._norm(hidden[:, 0])
