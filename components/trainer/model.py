"""The retrieval model: two towers and the loss between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer import towers
from components.trainer.batch import Targets, TrainBatch
from components.trainer.corpus import Corpus
from components.trainer.features import FeatureSpec
from components.trainer.losses import make_loss
from components.trainer.noise import Noise
from components.trainer.query_time import QueryTimeEmbedding
from components.trainer.settings import Settings
from shortlist.config.model import FeaturesTowerSection


class RetrievalModel(tfrs.models.Model):
    """Scores a candidate by the dot product of its embedding with the query's."""

    def __init__(
        self,
        settings: Settings,
        corpus: Corpus,
        query_specs: Sequence[FeatureSpec],
        candidate_specs: Sequence[FeatureSpec],
        query_ids: int,
    ) -> None:
        """Makes the towers; `query_ids` is the number of query ids seen in train."""
        super().__init__()
        width = settings.model.embedding_dim
        self._normalize = settings.model.normalize
        self._seed = settings.train.seed
        self.corpus_size = corpus.size
        self.frequencies = tf.constant(corpus.counts / max(int(corpus.counts.sum()), 1), tf.float32)
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64, name="step")
        self.candidate_tower = towers.CandidateTower(settings.model.candidate_tower, corpus, candidate_specs, width)
        self.query_tower = make_query_tower(settings, query_specs, query_ids)
        self._training_loss = make_loss(settings)

    def embed_candidates(self, rows: tf.Tensor | None = None, noise: Noise | None = None) -> tf.Tensor:
        """Returns [n, embedding_dim] for rows [n] of the corpus, for all of them unless given."""
        return self._output(self.candidate_tower(rows, noise=noise))

    def embed_described(self, rows: tf.Tensor, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns [n, embedding_dim] of candidates whose features are told, see `towers.CandidateTower.embed`."""
        return self._output(self.candidate_tower.embed(rows, features))

    def embed_queries(
        self,
        features: Mapping[str, tf.Tensor],
        history: tf.Tensor,
        candidates: tf.Tensor,
        times: tf.Tensor | None = None,
        clock: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns [batch, embedding_dim] of whole histories, see `embed_histories`.

        Without `times` all are asked at the end of train; without `clock` nothing is known of when items were met.
        """
        times = tf.ones([tf.shape(history)[0]]) if times is None else times
        return embed_histories(self.query_tower, features, history, candidates, times, clock, self._normalize)

    @property
    def has_candidate_features(self) -> bool:
        """Whether the candidate tower reads more than ids."""
        return self.candidate_tower.has_features

    def compute_loss(self, inputs: TrainBatch, training: bool = False) -> tf.Tensor:
        """Returns the mean loss of a batch's targets, weighted."""
        noise = Noise(self._seed, self.step) if training else None
        return self._training_loss.compute(self, inputs, noise)

    def embed_targets(
        self, batch: TrainBatch, targets: Targets, candidates: tf.Tensor, items: tf.Tensor, noise: Noise | None
    ) -> tf.Tensor:
        """Returns [n, embedding_dim], the query of each of a batch's targets: what precedes it in its window.

        Args:
          batch: Windows.
          targets: Some of the batch's.
          candidates: [m, embedding_dim], at least those that the batch's items name.
          items: int32 [batch, length], `batch.items` as rows of `candidates`; -1 pads.
          noise: Source of dropout; None when not training.
        """
        embedded = gather_items(candidates, items) if self.query_tower.reads_history else None
        queries = self.query_tower(
            batch.features, embedded, targets.windows, targets.positions, targets.times, batch.clock, noise=noise
        )
        return self._output(queries)

    def _output(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.math.l2_normalize(embeddings, axis=-1) if self._normalize else embeddings


def make_query_tower(
    settings: Settings, specs: Sequence[FeatureSpec], query_ids: int
) -> towers.FeaturesTower | towers.HistoryTower:
    """Returns the query tower that the settings ask for."""
    model = settings.model
    time = QueryTimeEmbedding(model.query_time, model.embedding_dim) if model.query_time else None
    if isinstance(model.query_tower, FeaturesTowerSection):
        return towers.FeaturesTower(model.query_tower, specs, query_ids, model.embedding_dim, time)
    max_items = settings.windows.max_history + settings.windows.max_targets
    return towers.HistoryTower(model.query_tower, specs, max_items, model.embedding_dim, time)


def embed_histories(
    tower: towers.FeaturesTower | towers.HistoryTower,
    features: Mapping[str, tf.Tensor],
    history: tf.Tensor,
    candidates: tf.Tensor,
    times: tf.Tensor,
    clock: tf.Tensor | None,
    normalize: bool,
) -> tf.Tensor:
    """Returns [batch, embedding_dim]: each query after its whole history.

    Args:
      tower: The query tower.
      features: Transformed query features and `query_id`, [batch, ...] each.
      history: [batch, length] rows of the corpus, oldest first, padded with -1 at the right.
      candidates: [corpus, embedding_dim].
      times: float32 [batch] from 0 to 1: when each query is asked.
      clock: Optional int64 [batch, length + 1]: when each item was met, and behind the last one when the query is
        asked; 0 where it is not known.
      normalize: Whether outputs have length 1.
    """
    items = gather_items(candidates, history) if tower.reads_history else None
    windows = tf.range(tf.shape(history)[0])
    positions = tf.reduce_sum(tf.cast(history >= 0, tf.int32), axis=1)
    embeddings = tower(features, items, windows, positions, times, clock)
    return tf.math.l2_normalize(embeddings, axis=-1) if normalize else embeddings


def gather_items(candidates: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns [batch, length, embedding_dim] of rows [batch, length]; zeros where a row is -1."""
    present = tf.cast(rows >= 0, candidates.dtype)[..., tf.newaxis]
    return tf.gather(candidates, tf.maximum(rows, 0)) * present
