"""The candidate tower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.trainer.corpus import Corpus
from components.trainer.features import FeatureEncoder, FeatureSpec, met_values
from components.trainer.noise import Noise, keep_mask
from components.trainer.towers.encoders import make_encoder, tables_of
from components.trainer.towers.layers import HiddenLayers
from shortlist.config.model import CandidateTowerSection


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
        self._encoder = make_encoder(specs, embedding_dim, config.dropout, met)
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
                initializer=tf.keras.initializers.RandomNormal(stddev=embedding_dim**-0.5),
            )

    @property
    def tables(self) -> list[tf.Variable]:
        """The embedding tables of ids and vocabularies."""
        return tables_of(self._ids, self._encoder)

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
