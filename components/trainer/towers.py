"""The candidate tower and the two kinds of query tower."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.trainer.corpus import Corpus
from components.trainer.features import FeatureEncoder, FeatureSpec, met_values
from components.trainer.intervals import UNKNOWN, GapEmbedding, IntervalBias, interval_buckets
from components.trainer.noise import Noise, dropout, keep_mask
from components.trainer.query_time import QueryTimeEmbedding
from shortlist import keys
from shortlist.config.model import CandidateTowerSection, FeaturesTowerSection, HistoryTowerSection

_INITIALIZER = tf.keras.initializers.RandomNormal
_TIME_DROPOUT = 0.1
"""Fraction of train windows, redrawn each step, whose times are unknown: requests may lack `history_times`, too."""
_FEATURE_DROPOUT = 0.1
"""As `_TIME_DROPOUT`, for each feature of the history's items and of the request."""


class CandidateTower(tf.keras.layers.Layer):
    """Embeddings of candidates: the sum of an id embedding and the features, then hidden layers.

    A candidate without train interactions has no id embedding, which would be untrained noise. It is embedded by its
    features alone.
    """

    def __init__(
        self, config: CandidateTowerSection, corpus: Corpus, specs: Sequence[FeatureSpec], embedding_dim: int
    ) -> None:
        """Makes the embedding tables; the corpus' features are constants."""
        super().__init__()
        self._corpus_size = corpus.size
        self.has_features = bool(specs)
        # Without features, a candidate without its id would have no embedding at all.
        self._id_dropout = config.id_dropout if specs else 0.0
        met = met_values(specs, corpus.features, corpus.counts)
        self._encoder = _make_encoder(specs, embedding_dim, config.dropout, met)
        features = {spec.name: tf.constant(corpus.features[spec.name]) for spec in specs}
        # Once for the corpus, which costs the training nothing.
        self._features = features if self._encoder is None else self._encoder.without_unmet(features)
        self._hidden = HiddenLayers(config.hidden_units, embedding_dim)
        trained = corpus.counts > 0
        self._id_rows = tf.constant(np.where(trained, np.cumsum(trained) - 1, -1), tf.int32)
        self._ids = None
        if config.use_candidate_id:
            self._ids = self.add_weight(
                name="candidate_id_embedding",
                shape=(max(int(trained.sum()), 1), embedding_dim),
                initializer=_INITIALIZER(stddev=embedding_dim**-0.5),
            )

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of ids and vocabularies."""
        return _tables(self._ids, self._encoder)

    @property
    def ids(self) -> tf.Variable | None:
        """The embedding table of the candidates with train interactions, in the corpus' order; None without one."""
        return self._ids

    @property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder of the candidates' features; None without features."""
        return self._encoder

    def call(self, rows: tf.Tensor | None, noise: Noise | None = None) -> tf.Tensor:
        """Returns [n, embedding_dim].

        Args:
          rows: [n] rows of the corpus; None for all rows.
          noise: Source of dropout; None outside of training.
        """
        if rows is None:
            rows = tf.range(self._corpus_size)
        features = {name: tf.gather(column, rows) for name, column in self._features.items()}
        return self._embed(rows, features, noise)

    def embed(self, rows: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns [n, embedding_dim] for candidates with the given features, in the corpus or not.

        Args:
          rows: [n] rows of the corpus; -1 for a candidate that is not in it, which is embedded by its features alone.
          features: Transformed features by name, [n, ...] each.
        """
        return self._embed(rows, features if self._encoder is None else self._encoder.without_unmet(features), None)

    def _embed(self, rows: tf.Tensor, features: Mapping[str, tf.Tensor], noise: Noise | None) -> tf.Tensor:
        parts = []
        if self._ids is not None:
            id_rows = tf.where(rows >= 0, tf.gather(self._id_rows, tf.maximum(rows, 0)), -1)
            has_id = (id_rows >= 0) & keep_mask(tf.shape(rows), self._id_dropout, noise)
            embedded = tf.gather(self._ids, tf.maximum(id_rows, 0))
            parts.append(embedded * tf.cast(has_id, tf.float32)[:, tf.newaxis])
        if self._encoder is not None:
            parts.append(self._encoder(features, noise=noise))
        return self._hidden(tf.add_n(parts))


class FeaturesTower(tf.keras.layers.Layer):
    """The classic query tower: an embedding of the query's id plus its features, without the history."""

    reads_history = False

    def __init__(
        self,
        config: FeaturesTowerSection,
        specs: Sequence[FeatureSpec],
        query_ids: int,
        embedding_dim: int,
        query_time: QueryTimeEmbedding | None = None,
        context_specs: Sequence[FeatureSpec] = (),
    ) -> None:
        """Makes the embedding tables; `query_ids` is the number of distinct query ids in train."""
        super().__init__()
        self._query_time = query_time
        self._dropout_rate = config.dropout
        self._encoder = _make_encoder(specs, embedding_dim, config.dropout)
        self._context = _make_encoder(context_specs, embedding_dim, config.dropout)
        self._hidden = HiddenLayers(config.hidden_units, embedding_dim)
        self._common = self.add_weight(name="any_query", shape=(1, embedding_dim), initializer="zeros")
        self._ids = None
        if config.use_query_id:
            self._ids = self.add_weight(
                name="query_id_embedding",
                shape=(query_ids, embedding_dim),
                initializer=_INITIALIZER(stddev=embedding_dim**-0.5),
            )

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of ids and vocabularies."""
        return _tables(self._ids, self._encoder, self._context)

    @property
    def ids(self) -> tf.Variable | None:
        """The embedding table of the query ids in train; None without one."""
        return self._ids

    @property
    def encoder(self) -> FeatureEncoder | None:
        """The encoder of the query's features; None without features."""
        return self._encoder

    @property
    def log_encoders(self) -> tuple[FeatureEncoder | None, ...]:
        """The encoders of features of the log's rows."""
        return (self._context,)

    @property
    def query_time(self) -> QueryTimeEmbedding | None:
        """The embedding of a query's time."""
        return self._query_time

    def call(
        self,
        features: Mapping[str, tf.Tensor],
        items: tf.Tensor | None,
        windows: tf.Tensor,
        positions: tf.Tensor,
        times: tf.Tensor,
        clock: tf.Tensor | None = None,
        item_features: Mapping[str, tf.Tensor] | None = None,
        context: Mapping[str, tf.Tensor] | None = None,
        noise: Noise | None = None,
    ) -> tf.Tensor:
        """Returns [n, embedding_dim]: the embedding of each window's query, see `HistoryTower.call`."""
        del items, positions, clock, item_features
        parts = [self._common]
        if self._ids is not None:
            ids = features[keys.QUERY_ID][:, 0]
            # A query without train interactions has no id embedding; the vector common to all queries remains.
            known = tf.cast(ids < self._ids.shape[0], tf.float32)[:, tf.newaxis]
            embedded = tf.gather(self._ids, tf.minimum(ids, self._ids.shape[0] - 1)) * known
            parts.append(dropout(embedded, self._dropout_rate, noise))
        if self._encoder is not None:
            parts.append(self._encoder(features, noise=noise))
        rows = sum(parts[1:], tf.tile(self._common, [tf.shape(features[keys.QUERY_ID])[0], 1]))
        if self._context is None:
            queries = tf.gather(self._hidden(rows), windows)
        else:
            queries = self._hidden(tf.gather(rows, windows) + _embed_values(self._context, context, noise))
        return add_time(queries, self._query_time, times)


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
        self._encoder = _make_encoder(specs, embedding_dim, config.dropout)
        # Without dropout of their own: the sum of an item and its features has dropout.
        self._item_features = _make_encoder(history_specs, embedding_dim, 0.0)
        self._context = _make_encoder(context_specs, embedding_dim, config.dropout)
        self._start = self.add_weight(
            name="start_token", shape=(1, embedding_dim), initializer=_INITIALIZER(stddev=embedding_dim**-0.5)
        )
        self._position_table = self.add_weight(
            name="position_embedding", shape=(max_items + 1, embedding_dim), initializer=_INITIALIZER(stddev=0.02)
        )
        # Both time inputs were measured on MovieLens 100K: eval NDCG@10 0.1555 with them, 0.1448 without.
        self._gaps = GapEmbedding(embedding_dim) if config.time_intervals else None
        self._blocks = [CausalBlock(config, embedding_dim, max_items + 1) for _ in range(config.blocks)]
        self._norm = LayerNorm(embedding_dim)

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of vocabularies."""
        return _tables(None, self._encoder, self._item_features, self._context)

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
            items += _embed_values(self._item_features, item_features, noise)
        hidden = tf.concat([start[:, tf.newaxis], items], axis=1)
        hidden += self._position_table[: length + 1]
        intervals = None
        if self._gaps is not None:
            has_times = keep_mask([batch, 1], _TIME_DROPOUT, noise)
            if clock is None:
                clock = tf.fill([batch, length + 1], tf.constant(UNKNOWN, tf.int64))
            clock = tf.where(has_times, clock, UNKNOWN)
            hidden += self._gaps(clock)
            intervals = interval_buckets(clock)
        hidden = dropout(hidden, self._dropout_rate, noise)
        for block in self._blocks[:-1]:
            hidden = block(hidden, intervals=intervals, noise=noise)
        # The last block computes only the requested positions: attention still reads all of them.
        outputs = windows * (length + 1) + positions
        added = None if self._context is None else _embed_values(self._context, context, noise)
        hidden = self._blocks[-1](hidden, intervals=intervals, outputs=outputs, added=added, noise=noise)
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


def _tables(ids: tf.Variable | None, *encoders: FeatureEncoder | None) -> list[tf.Variable]:
    """Returns the embedding tables of a tower: of its ids, and of its features' vocabularies."""
    of_features = [table for encoder in encoders if encoder is not None for table in encoder.tables]
    return [*([] if ids is None else [ids]), *of_features]


def _embed_values(encoder: FeatureEncoder, values: Mapping[str, tf.Tensor] | None, noise: Noise | None) -> tf.Tensor:
    """Returns [batch, ..., embedding_dim]: the sum of the features' vectors at each place.

    Args:
      encoder: The features' encoder.
      values: Transformed features by name, [batch, ...] each, with one value per place.
      noise: Source of dropout; None outside of training. A dropped feature is dropped at all places of a row.
    """
    if values is None:
        raise ValueError("expected values of the features that the tower reads, got None")
    flat, shape = {}, tf.constant([], tf.int32)
    for name, column in values.items():
        shape = tf.shape(column)
        kept = keep_mask(tf.concat([shape[:1], tf.ones_like(shape[1:])], axis=0), _FEATURE_DROPOUT, noise)
        unknown = tf.constant(0 if column.dtype.is_floating else -1, column.dtype)
        flat[name] = tf.reshape(tf.where(kept, column, unknown), [-1, 1])
    vectors = encoder(flat, noise=noise)
    return tf.reshape(vectors, tf.concat([shape, tf.shape(vectors)[1:]], axis=0))


def _make_encoder(
    specs: Sequence[FeatureSpec],
    embedding_dim: int,
    dropout_rate: float,
    met: Mapping[str, np.ndarray] | None = None,
) -> FeatureEncoder | None:
    """Returns the encoder of a tower's features; None for a table without features."""
    return FeatureEncoder(specs, embedding_dim, dropout_rate, met) if specs else None


def add_time(queries: tf.Tensor, query_time: QueryTimeEmbedding | None, times: tf.Tensor) -> tf.Tensor:
    """Returns queries [n, embedding_dim] plus the embedding of their times; without one, the queries themselves."""
    if query_time is None:
        return queries
    return queries + query_time(times)


class CausalBlock(tf.keras.layers.Layer):
    """Pre-norm causal self-attention and a feed-forward layer, each with a residual."""

    def __init__(self, config: HistoryTowerSection, width: int, max_length: int) -> None:
        """Makes the weights of one block; `max_length` is the length of the longest sequence."""
        super().__init__()
        self._dropout_rate = config.dropout
        self._heads = config.heads
        self._width = width
        self._positions = PositionBias(config.heads, max_length) if config.position_bias else None
        self._intervals = IntervalBias(config.heads) if config.time_intervals else None
        self._attention_norm = LayerNorm(width)
        self._feed_forward_norm = LayerNorm(width)
        self._query_key_value = _dense(width, 3 * width)
        self._merge = _dense(width, width)
        self._expand = _dense(width, config.feed_forward_factor * width, "relu")
        self._contract = _dense(config.feed_forward_factor * width, width)

    def call(
        self,
        hidden: tf.Tensor,
        intervals: tf.Tensor | None = None,
        outputs: tf.Tensor | None = None,
        added: tf.Tensor | None = None,
        noise: Noise | None = None,
    ) -> tf.Tensor:
        """Maps [batch, length, width] to the same shape; position p depends on positions up to p.

        Args:
          hidden: [batch, length, width].
          intervals: Optional int32 [batch, length, length], see `intervals.interval_buckets`; unused without
            `time_intervals`.
          outputs: Optional [n] indices into [batch * length]. With them the result is [n, width], at these positions.
          added: Optional [n, width], added to the outputs before the feed-forward layer, which combines both.
          noise: Source of dropout; None outside of training.
        """
        mixed = self._attend(self._attention_norm(hidden), intervals, noise)
        if outputs is not None:
            mixed, hidden = _take(mixed, outputs), _take(hidden, outputs)
        hidden += dropout(self._merge(mixed), self._dropout_rate, noise)
        if added is not None:
            hidden += added
        expanded = dropout(self._expand(self._feed_forward_norm(hidden)), self._dropout_rate, noise)
        return hidden + dropout(self._contract(expanded), self._dropout_rate, noise)

    def _attend(self, hidden: tf.Tensor, intervals: tf.Tensor | None, noise: Noise | None) -> tf.Tensor:
        # One matrix product for all three projections of all heads.
        query, key, value = (
            _split_heads(part, self._heads) for part in tf.split(self._query_key_value(hidden), 3, axis=-1)
        )
        length = tf.shape(hidden)[1]
        scores = tf.matmul(query, key, transpose_b=True) * (self._width // self._heads) ** -0.5
        if self._positions is not None:
            scores += self._positions(length)
        if self._intervals is not None and intervals is not None:
            scores += self._intervals(intervals)
        allowed = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
        weights = tf.nn.softmax(tf.where(allowed, scores, scores.dtype.min))
        return _merge_heads(tf.matmul(dropout(weights, self._dropout_rate, noise), value))


def _split_heads(values: tf.Tensor, heads: int) -> tf.Tensor:
    """Maps [batch, length, heads * depth] to [batch, heads, length, depth]."""
    batch, length, width = tf.shape(values)[0], tf.shape(values)[1], values.shape[-1]
    return tf.transpose(tf.reshape(values, [batch, length, heads, width // heads]), [0, 2, 1, 3])


def _merge_heads(values: tf.Tensor) -> tf.Tensor:
    """Maps [batch, heads, length, depth] to [batch, length, heads * depth]."""
    batch, length, width = tf.shape(values)[0], tf.shape(values)[2], values.shape[1] * values.shape[3]
    return tf.reshape(tf.transpose(values, [0, 2, 1, 3]), [batch, length, width])


def _take(values: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Returns [n, width]: rows `indices` [n] of [batch, length, width], reshaped to [batch * length, width]."""
    return tf.gather(tf.reshape(values, [-1, values.shape[-1]]), indices)


class PositionBias(tf.keras.layers.Layer):
    """Relative position bias: a learned attention score per head and distance (Raffel et al. 2020, without buckets)."""

    def __init__(self, heads: int, max_length: int) -> None:
        """Makes the table; its zeros have no effect before training."""
        super().__init__()
        self._table = self.add_weight(name="distance_bias", shape=(heads, max_length), initializer="zeros")

    def call(self, length: tf.Tensor) -> tf.Tensor:
        """Returns [heads, length, length]; entries above the diagonal have no meaning."""
        positions = tf.range(length)
        return tf.gather(self._table, tf.maximum(positions[:, tf.newaxis] - positions, 0), axis=1)


class LayerNorm(tf.keras.layers.Layer):
    """Layer normalisation of the last axis; Keras' own layer is built for one rank and slower on a CPU."""

    def __init__(self, width: int) -> None:
        """Makes the scale and the offset."""
        super().__init__()
        self._scale = self.add_weight(name="scale", shape=(width,), initializer="ones")
        self._offset = self.add_weight(name="offset", shape=(width,), initializer="zeros")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Maps [..., width] to the same shape."""
        centred = values - tf.reduce_mean(values, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + 1e-6) * self._scale + self._offset


class HiddenLayers(tf.keras.layers.Layer):
    """ReLU layers of the given widths, then a linear layer to embedding_dim; the identity without widths."""

    def __init__(self, units: Sequence[int], embedding_dim: int) -> None:
        """Makes the weights; the input is [batch, embedding_dim]."""
        super().__init__()
        widths = [embedding_dim, *units]
        self._dense_layers = [_dense(inputs, outputs, "relu") for inputs, outputs in itertools.pairwise(widths)]
        if units:
            self._dense_layers.append(_dense(widths[-1], embedding_dim))

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Maps [batch, embedding_dim] to the same shape."""
        for layer in self._dense_layers:
            values = layer(values)
        return values


def _dense(inputs: int, outputs: int, activation: str | None = None) -> tf.keras.layers.Dense:
    layer = tf.keras.layers.Dense(outputs, activation=activation)
    layer.build([None, inputs])
    return layer
