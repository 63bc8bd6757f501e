"""The classic query tower, without the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from components.trainer.features import FeatureEncoder, FeatureSpec
from components.trainer.noise import Noise, dropout
from components.trainer.query_time import QueryTimeEmbedding, add_time
from components.trainer.towers.encoders import embed_values, make_encoder, tables_of
from components.trainer.towers.layers import HiddenLayers
from shortlist import keys
from shortlist.config.model import FeaturesTowerSection


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
        self._encoder = make_encoder(specs, embedding_dim, config.dropout)
        self._context = make_encoder(context_specs, embedding_dim, config.dropout)
        self._hidden = HiddenLayers(config.hidden_units, embedding_dim)
        self._common = self.add_weight(name="any_query", shape=(1, embedding_dim), initializer="zeros")
        self._ids = None
        if config.use_query_id:
            self._ids = self.add_weight(
                name="query_id_embedding",
                shape=(query_ids, embedding_dim),
                initializer=tf.keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
            )

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of ids and vocabularies."""
        return tables_of(self._ids, self._encoder, self._context)

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
            queries = self._hidden(tf.gather(rows, windows) + embed_values(self._context, context, noise))
        return add_time(queries, self._query_time, times)
