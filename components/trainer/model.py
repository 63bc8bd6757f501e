"""The retrieval model: two towers and the loss between them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.graph import graph_function
from components.trainer import losses, towers
from components.trainer.corpus import Corpus
from components.trainer.features import FeatureSpec
from components.trainer.noise import Noise
from components.trainer.query_time import QueryTimeEmbedding
from components.trainer.settings import Settings
from shortlist import keys
from shortlist.config.losses import CorpusLoss, InBatchLoss
from shortlist.config.model import FeaturesTowerSection


class TrainBatch(NamedTuple):
    """Windows of one step, as rows of the corpus; -1 pads."""

    features: Mapping[str, tf.Tensor]
    """Transformed query features and `query_id`, [batch, ...] each."""
    items: tf.Tensor
    """int32 [batch, length]: what a position may look back on, oldest first."""
    targets: tf.Tensor
    """int32 [batch, targets]."""
    positions: tf.Tensor
    """int32 [batch, targets]: how many of the window's items precede each target."""
    weights: tf.Tensor
    """float32 [batch, targets]."""
    seen: tf.Tensor
    """int32 [batch, seen]: all of the query's train candidates."""
    times: tf.Tensor
    """float32 [batch, targets]: when each target was met, from 0, the first of all train targets, to 1, the last."""
    clock: tf.Tensor
    """int64 [batch, length + 1]: when the item after each place was met, see `towers.HistoryTower.call`; 0 pads."""


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
        self._loss_config = settings.train.loss
        self._seed = settings.train.seed
        self._corpus_size = corpus.size
        self._frequencies = tf.constant(corpus.counts / max(int(corpus.counts.sum()), 1), tf.float32)
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64, name="step")
        self.candidate_tower = towers.CandidateTower(settings.model.candidate_tower, corpus, candidate_specs, width)
        self.query_tower = make_query_tower(settings, query_specs, query_ids)
        self.task = losses.make_task(settings.train.loss)

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

    def compute_loss(self, inputs: TrainBatch, training: bool = False) -> tf.Tensor:
        """Returns the mean loss of a batch's targets, weighted."""
        noise = Noise(self._seed, self.step) if training else None
        if isinstance(self._loss_config, CorpusLoss):
            return self._corpus_loss(inputs, noise)
        return self._in_batch_loss(inputs, noise)

    def _corpus_loss(self, inputs: TrainBatch, noise: Noise | None) -> tf.Tensor:
        assert isinstance(self._loss_config, CorpusLoss)
        candidates = self.embed_candidates(noise=noise)
        parts = self._loss_config.parts
        found = [
            self._part_loss(part, candidates, None if noise is None else noise.key_of_part(number, parts))
            for number, part in enumerate(split_windows(inputs, parts))
        ]
        loss, weight = map(tf.add_n, zip(*found, strict=True))
        return tf.math.divide_no_nan(loss, weight)

    @functools.cached_property
    def _part_loss(self) -> Any:
        # Traced once for all parts; and a property, since what is assigned Keras would take into its checkpoints.
        return graph_function(self._loss_of_part, reduce_retracing=True)

    def _loss_of_part(
        self, inputs: TrainBatch, candidates: tf.Tensor, key: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the weighted sum of the losses of some windows' targets, and that of their weights."""
        noise = None if key is None else Noise(self._seed, key)
        windows, targets, positions, weights, times = _flat_targets(inputs)
        items = gather_items(candidates, inputs.items) if self.query_tower.reads_history else None
        queries = self._embed(inputs, items, windows, positions, times, noise)
        loss = self.task(
            queries,
            candidates,
            sample_weight=weights,
            target_rows=targets,
            not_negatives=self._not_negatives(inputs.seen),
            windows=windows,
        )
        return loss, tf.reduce_sum(weights)

    def _not_negatives(self, seen: tf.Tensor) -> tf.Tensor | None:
        """Returns bool [batch, corpus], what is no negative of a window, whose candidates are `seen` [batch, n]."""
        assert isinstance(self._loss_config, CorpusLoss)
        masked = None
        if self._loss_config.mask_other_targets:
            masked = losses.rows_to_mask(seen, self._corpus_size)
        if self._loss_config.mask_unseen_candidates and self.candidate_tower.has_features:
            unseen = tf.tile((self._frequencies == 0.0)[tf.newaxis], [tf.shape(seen)[0], 1])
            masked = unseen if masked is None else masked | unseen
        return masked

    def _in_batch_loss(self, inputs: TrainBatch, noise: Noise | None) -> tf.Tensor:
        config = self._loss_config
        assert isinstance(config, InBatchLoss)
        windows, targets, positions, weights, times = _flat_targets(inputs)
        sampled = targets
        if config.uniform_negatives:
            draw = (noise or Noise(self._seed, self.step)).draw()
            uniform = tf.random.stateless_uniform(
                [config.uniform_negatives], draw, maxval=self._corpus_size, dtype=tf.int32
            )
            sampled = tf.concat([targets, uniform], axis=0)
        # Only the candidates that this step names are embedded: the catalogue may be large.
        length = tf.size(inputs.items)
        named, places = tf.unique(tf.concat([tf.reshape(tf.maximum(inputs.items, 0), [-1]), sampled], axis=0))
        embedded = self.embed_candidates(named, noise=noise)
        item_places = tf.where(inputs.items >= 0, tf.reshape(places[:length], tf.shape(inputs.items)), -1)
        items = gather_items(embedded, item_places)
        queries = self._embed(inputs, items, windows, positions, times, noise)
        probability = None
        if config.logq:
            probability = losses.sampling_probability(
                sampled, self._frequencies, tf.size(targets), config.uniform_negatives
            )
        loss = self._in_batch_task(
            queries,
            tf.gather(embedded, places[length:]),
            sample_weight=weights,
            candidate_sampling_probability=probability,
            candidate_ids=sampled,
            compute_metrics=False,
            compute_batch_metrics=False,
            score_mask=losses.of_other_queries(
                tf.gather(inputs.features[keys.QUERY_ID][:, 0], windows), config.uniform_negatives
            ),
        )
        return tf.math.divide_no_nan(loss, tf.reduce_sum(weights))

    @functools.cached_property
    def _in_batch_task(self) -> Any:
        # TFRS asks for len(tf.shape(...)), which AutoGraph alone makes sense of: it converts the task and nothing else.
        return tf.function(self.task.__call__, reduce_retracing=True)

    def _embed(
        self,
        inputs: TrainBatch,
        items: tf.Tensor | None,
        windows: tf.Tensor,
        positions: tf.Tensor,
        times: tf.Tensor,
        noise: Noise | None,
    ) -> tf.Tensor:
        """Returns [n, embedding_dim], the queries of a batch's targets."""
        queries = self.query_tower(inputs.features, items, windows, positions, times, inputs.clock, noise=noise)
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


def split_windows(inputs: TrainBatch, parts: int) -> list[TrainBatch]:
    """Returns the windows of a batch in so many parts of about the same size; one may have none."""
    cuts = [tf.shape(inputs.items)[0] * number // parts for number in range(parts + 1)]
    return [
        tf.nest.map_structure(lambda column, some=slice(*bounds): column[some], inputs)
        for bounds in itertools.pairwise(cuts)
    ]


def _flat_targets(inputs: TrainBatch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns (windows, targets, positions, weights, times), [n] each, of the targets that are not padding."""
    present = tf.where(inputs.targets >= 0)
    return (
        tf.cast(present[:, 0], tf.int32),
        tf.gather_nd(inputs.targets, present),
        tf.gather_nd(inputs.positions, present),
        tf.gather_nd(inputs.weights, present),
        tf.gather_nd(inputs.times, present),
    )
