"""The retrieval model: a query tower, a candidate tower and a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.graph import gather_rows
from components.trainer.batch import Targets, TrainBatch
from components.trainer.corpus import Corpus
from components.trainer.features import FeatureSpec
from components.trainer.losses import make_loss
from components.trainer.noise import Noise
from components.trainer.query_time import QueryTimeEmbedding
from components.trainer.settings import Settings
from components.trainer.team import WHOLE, Share
from components.trainer.towers.candidate import CandidateTower
from components.trainer.towers.features import FeaturesTower
from components.trainer.towers.history import HistoryTower
from shortlist.config.model import FeaturesTowerSection

CORPUS_TILE = 16_384
"""Candidates embedded at a time: a text of 50 words has 50 vectors before they become one, 13 kB per candidate."""


class RetrievalModel(tfrs.models.Model):
    """Two-tower model: a candidate's score is the dot product of its embedding and the query's."""

    def __init__(
        self,
        settings: Settings,
        corpus: Corpus,
        query_specs: Sequence[FeatureSpec],
        candidate_specs: Sequence[FeatureSpec],
        query_ids: int,
        history_specs: Sequence[FeatureSpec] = (),
        context_specs: Sequence[FeatureSpec] = (),
    ) -> None:
        """Makes the towers.

        Args:
          settings: Settings of the training.
          corpus: The candidates.
          query_specs: Features of the queries.
          candidate_specs: Features of the candidates.
          query_ids: Number of distinct query ids in train; 0 if the query tower does not embed them.
          history_specs: Features of the history's items.
          context_specs: Features of a request.
        """
        super().__init__()
        width = settings.model.embedding_dim
        self._normalize = settings.model.normalize
        self._seed = settings.train.seed
        self.corpus_size = corpus.size
        self.frequencies = tf.constant(corpus.counts / max(int(corpus.counts.sum()), 1), tf.float32)
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64, name="step")
        self.candidate_tower = CandidateTower(settings.model.candidate_tower, corpus, candidate_specs, width)
        self.query_tower = make_query_tower(settings, query_specs, query_ids, history_specs, context_specs)
        self._training_loss = make_loss(settings)

    def embed_candidates(self, rows: tf.Tensor | None = None, noise: Noise | None = None) -> tf.Tensor:
        """Returns [n, embedding_dim] for rows [n] of the corpus; for all rows by default."""
        return self._output(self.candidate_tower(rows, noise=noise))

    def embed_corpus(self) -> tf.Tensor:
        """Returns [corpus_size, embedding_dim] for all candidates, without noise, `CORPUS_TILE` at a time."""
        starts = range(0, self.corpus_size, CORPUS_TILE)
        tiles = [tf.range(start, min(start + CORPUS_TILE, self.corpus_size)) for start in starts]
        return tf.concat([self.embed_candidates(tile) for tile in tiles], axis=0)

    def embed_described(self, rows: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns [n, embedding_dim] for candidates with the given features, see `CandidateTower.embed`."""
        return self._output(self.candidate_tower.embed(rows, features))

    def embed_queries(
        self,
        features: Mapping[str, tf.Tensor],
        history: tf.Tensor,
        candidates: tf.Tensor,
        times: tf.Tensor | None = None,
        clock: tf.Tensor | None = None,
        item_features: Mapping[str, tf.Tensor] | None = None,
        context: Mapping[str, tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """Returns [batch, embedding_dim], each query after its whole history, see `embed_histories`.

        By default each query's time is the end of train, and the times of its history are unknown.
        """
        if times is None:
            times = tf.ones([tf.shape(history)[0]])
        return embed_histories(
            self.query_tower, features, history, candidates, times, clock, self._normalize, item_features, context
        )

    @property
    def has_candidate_features(self) -> bool:
        """Whether the candidate tower has features besides the id."""
        return self.candidate_tower.has_features

    @property
    def tables(self) -> list[tf.Variable]:
        """Embedding tables of ids and of features' vocabularies, of which a step may read few rows."""
        return [*self.candidate_tower.tables, *self.query_tower.tables]

    @property
    def has_sparse_gradients(self) -> bool:
        """Whether a training step reads few rows of `tables`."""
        return self._training_loss.has_sparse_gradients

    def compute_loss(self, inputs: TrainBatch, training: bool = False, share: Share = WHOLE) -> tf.Tensor:
        """Returns the weighted mean loss of a batch's targets, or a replica's share of it."""
        noise = None
        if training:
            noise = Noise(self._seed, self.step)
        return self._training_loss.compute(self, inputs, noise, share)

    def embed_targets(
        self, batch: TrainBatch, targets: Targets, candidates: tf.Tensor, items: tf.Tensor, noise: Noise | None
    ) -> tf.Tensor:
        """Returns [num_targets, embedding_dim]: a query embedding per target, from the part of the window before it.

        Args:
          batch: Windows.
          targets: Targets of the batch, all or some of them.
          candidates: [m, embedding_dim], at least the candidates in the batch's items.
          items: int32 [batch, length], `batch.items` as rows of `candidates`; -1 pads.
          noise: Source of dropout; None outside of training.
        """
        embedded = None
        if self.query_tower.reads_history:
            embedded = gather_items(candidates, items)
        queries = self.query_tower(
            batch.features,
            embedded,
            targets.windows,
            targets.positions,
            targets.times,
            batch.clock,
            batch.item_features,
            targets.context,
            noise=noise,
        )
        return self._output(queries)

    def _output(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(embeddings, axis=-1) if self._normalize else embeddings


def make_query_tower(
    settings: Settings,
    specs: Sequence[FeatureSpec],
    query_ids: int,
    history_specs: Sequence[FeatureSpec] = (),
    context_specs: Sequence[FeatureSpec] = (),
) -> FeaturesTower | HistoryTower:
    """Returns the query tower that the settings specify."""
    model = settings.model
    time = None
    if model.query_time:
        time = QueryTimeEmbedding(model.query_time, model.embedding_dim)
    if isinstance(model.query_tower, FeaturesTowerSection):
        return FeaturesTower(model.query_tower, specs, query_ids, model.embedding_dim, time, context_specs)
    max_items = settings.windows.max_history + settings.windows.max_targets
    return HistoryTower(model.query_tower, specs, max_items, model.embedding_dim, time, history_specs, context_specs)


def embed_histories(
    tower: FeaturesTower | HistoryTower,
    features: Mapping[str, tf.Tensor],
    history: tf.Tensor,
    candidates: tf.Tensor,
    times: tf.Tensor,
    clock: tf.Tensor | None,
    normalize: bool,
    item_features: Mapping[str, tf.Tensor] | None = None,
    context: Mapping[str, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Returns [batch, embedding_dim]: each query after its whole history.

    Args:
      tower: The query tower.
      features: Transformed query features and `query_id`, [batch, ...] each.
      history: [batch, length] rows of the corpus, oldest first, padded with -1 at the right.
      candidates: [corpus, embedding_dim].
      times: float32 [batch], each query's time, from 0 (the first train target) to 1 (the last).
      clock: Optional int64 [batch, length + 1]: times of the history's items, then the time of the query; 0 where
        unknown.
      normalize: Whether outputs have length 1.
      item_features: Transformed features of the history's items, [batch, length] each.
      context: Transformed features of the requests, [batch] each.
    """
    items = None
    if tower.reads_history:
        items = gather_items(candidates, history)
    windows = tf.range(tf.shape(history)[0])
    positions = tf.reduce_sum(tf.cast(history >= 0, tf.int32), axis=1)
    embeddings = tower(features, items, windows, positions, times, clock, item_features, context)
    return tf.math.l2_normalize(embeddings, axis=-1) if normalize else embeddings


def gather_items(candidates: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns [batch, length, embedding_dim] for rows [batch, length]; zeros where a row is -1."""
    present = tf.cast(rows >= 0, candidates.dtype)[..., tf.newaxis]
    return gather_rows(candidates, tf.maximum(rows, 0)) * present
