"""Loss `sampled`: softmax over negatives that all targets of a batch of windows share."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.graph import graph_function
from components.trainer.batch import Targets, TrainBatch, flat_targets
from components.trainer.losses import sampled_negatives
from components.trainer.losses.base import TrainingLoss, TwoTowers, mean_over_parts
from components.trainer.losses.sampled_cross_entropy import Negatives, sampled_cross_entropy
from components.trainer.noise import Noise
from components.trainer.settings import Settings
from components.trainer.team import WHOLE, Share
from shortlist import keys
from shortlist.config.losses import SampledLoss
from shortlist.errors import ConfigError

# Per window and negative: two floats and two masks of a byte.
_BYTES_PER_NEGATIVE = 10
# Table and two moments; the embeddings that an evaluation ranks, and a copy.
_EMBEDDING_COPIES = 5
_MAX_GIB = 16


class _Windows(NamedTuple):
    """Windows of a batch, with candidates as rows of the step's embeddings."""

    batch: TrainBatch
    log_weights: tf.Tensor
    """float32 [batch, num_negatives], see `Negatives`."""


class SampledSoftmax(TrainingLoss[SampledLoss], kind="sampled"):
    """Each target against a sample of the catalogue: some of the batch's targets, and candidates drawn uniformly.

    A step embeds the candidates that it names and no others, and has as few rows of gradients.
    """

    has_sparse_gradients = True

    def __init__(self, settings: Settings) -> None:
        """Takes settings whose `train.loss` is of this kind."""
        super().__init__(settings)
        self._known_pool: tf.Tensor | None = None

    def compute(self, model: TwoTowers, batch: TrainBatch, noise: Noise | None, share: Share = WHOLE) -> tf.Tensor:
        """Returns the mean loss, see `TrainingLoss.compute`."""
        drawn, log_weights = self.negatives(model, batch, noise or Noise(self._settings.train.seed, model.step))
        number = tf.size(drawn)
        columns = [tf.reshape(tf.maximum(column, 0), [-1]) for column in (batch.items, batch.targets)]
        # The negatives are distinct, so that they are the first rows of `named`.
        named, places = tf.unique(tf.concat([drawn, *columns], axis=0))
        embedded = model.embed_candidates(named, noise=noise)
        items, targets = tf.split(places[number:], [tf.size(column) for column in columns])
        batch = batch._replace(
            items=tf.where(batch.items >= 0, tf.reshape(items, tf.shape(batch.items)), -1),
            targets=tf.where(batch.targets >= 0, tf.reshape(targets, tf.shape(batch.targets)), -1),
        )
        windows = _Windows(batch, log_weights)
        return mean_over_parts(
            lambda part, key: self._part_loss(model, part, embedded, key),
            windows,
            self._section.parts,
            noise,
            share,
            batch,
        )

    @functools.cached_property
    def _part_loss(self) -> Any:
        # One function, called per part, as for the corpus loss (decision 16).
        return graph_function(self._loss_of_part, reduce_retracing=True)

    def _loss_of_part(
        self, model: TwoTowers, windows: _Windows, embedded: tf.Tensor, key: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the weighted sum of the losses of some windows' targets, and that of their weights."""
        noise = None if key is None else Noise(self._settings.train.seed, key)
        batch, number = windows.batch, tf.shape(windows.log_weights)[1]
        targets = flat_targets(batch)
        queries = model.embed_targets(batch, targets, embedded, batch.items, noise)
        loss = sampled_cross_entropy(
            queries / self._section.temperature,
            tf.gather(embedded, targets.rows),
            targets.weights,
            targets.windows,
            Negatives(embedded[:number], windows.log_weights),
            self._hits(targets, number),
            self._section.num_hard_negatives,
        )
        return loss, tf.reduce_sum(targets.weights)

    def _hits(self, targets: Targets, number: tf.Tensor) -> tf.Tensor | None:
        """Returns each target's place among the negatives, -1 for none; None if the windows' masks cover targets."""
        if self._section.mask_other_targets:
            return None
        return tf.where(targets.rows < number, targets.rows, -1)

    def negatives(self, model: TwoTowers, batch: TrainBatch, noise: Noise) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the distinct negatives of a batch, int32 [num_negatives], and their `log_weights`."""
        section = self._section
        targets = tf.boolean_mask(batch.targets, batch.targets >= 0)
        some = sampled_negatives.draw_spread(section.in_batch_negatives, tf.size(targets), noise)
        pool = self._pool(model)
        uniform = sampled_negatives.draw_spread(section.uniform_negatives, len(pool), noise)
        drawn = sampled_negatives.distinct(tf.concat([tf.gather(targets, some), tf.gather(pool, uniform)], axis=0))
        masked = None
        in_batch = tf.fill(tf.shape(batch.targets)[:1], tf.size(some))
        if section.mask_other_targets:
            # In eval windows, `seen` lacks the target.
            own = sampled_negatives.columns_of(drawn.rows, tf.concat([batch.seen, batch.targets], axis=1))
            masked = sampled_negatives.mask_columns(own, tf.size(drawn.rows))
            per_window = tf.reduce_sum(tf.cast(batch.targets >= 0, tf.float32), axis=1)
            queries = batch.features[keys.QUERY_ID][:, 0]
            in_batch = sampled_negatives.draws_from_others(queries, per_window, tf.size(some))
        expected = None
        if section.logq:
            frequencies = tf.gather(model.frequencies, drawn.rows)
            share = min(section.uniform_negatives / max(len(pool), 1), 1.0)
            expected = sampled_negatives.expected_counts(frequencies, in_batch, share)
        return drawn.rows, sampled_negatives.log_weights(drawn.counts, expected, masked, tf.shape(in_batch)[0])

    def _pool(self, model: TwoTowers) -> tf.Tensor:
        """Returns the candidates of the uniform draws, int32 [pool]: those that may be negatives at all."""
        if self._known_pool is None:
            rows = np.arange(model.corpus_size)
            if self._section.mask_unseen_candidates and model.has_candidate_features:
                rows = np.flatnonzero(tf.get_static_value(model.frequencies) > 0.0)
            # A tensor of the outer program: graphs then refer to it instead of each holding a copy.
            with tf.init_scope():
                self._known_pool = tf.constant(rows, tf.int32)
        return self._known_pool

    def check_fits(self, corpus_size: int) -> None:
        """Refuses a catalogue or a batch that is too large, see `TrainingLoss.check_fits`.

        Only the embedding table and what evaluations rank grow with the catalogue.
        """
        settings, width = self._settings, self._settings.model.embedding_dim
        negatives = self._section.in_batch_negatives + min(self._section.uniform_negatives, corpus_size)
        of_masks = settings.train.batch_size * negatives * _BYTES_PER_NEGATIVE
        gib = (corpus_size * width * _EMBEDDING_COPIES * 4 + of_masks) / 2**30
        if gib > _MAX_GIB:
            raise ConfigError(
                f"train.loss.kind: sampled needs about {gib:.0f} GiB for {corpus_size:,} candidates of "
                f"model.embedding_dim={width} and train.batch_size={settings.train.batch_size} windows with "
                f"{negatives:,} negatives, at most {_MAX_GIB} are allowed; lower model.embedding_dim, "
                "train.loss.uniform_negatives or train.batch_size"
            )
