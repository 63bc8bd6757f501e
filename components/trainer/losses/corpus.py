"""Loss `corpus`: softmax over the whole catalogue."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.graph import graph_function
from components.trainer.batch import TrainBatch, flat_targets, split_windows
from components.trainer.losses.base import TrainingLoss, TwoTowers
from components.trainer.losses.corpus_cross_entropy import NotNegatives, corpus_cross_entropy
from components.trainer.noise import Noise
from shortlist.config.losses import CorpusLoss
from shortlist.errors import ConfigError

# The value with which tfrs.tasks.Retrieval masks a score.
MIN_FLOAT = float(np.finfo(np.float32).min) / 100.0
# Per window and candidate: three flags of a byte and a penalty of four.
_BYTES_PER_MASKED = 7
# Table, two moments and gradient; the embeddings and, for each of two parts, a copy and two sums of gradients.
_EMBEDDING_COPIES = 12
_MAX_GIB = 16
_EVAL_ROWS = 256
_MAX_EVAL_MASK_BYTES = 2**28


class CorpusRetrieval(tfrs.tasks.Retrieval):
    """Softmax over the whole catalogue.

    In the base class the negatives are the batch's candidates, here they are all candidates of the catalogue. There is
    no sampling to correct and no accidental hit to remove, and a query's other targets can be masked exactly.
    `target_rows` has the positive of each row; the order of the candidates does not matter. Temperature and the sum
    over rows are the base class's.
    """

    def call(
        self,
        query_embeddings: tf.Tensor,
        candidate_embeddings: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
        target_rows: tf.Tensor | None = None,
        not_negatives: tf.Tensor | None = None,
        windows: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the weighted sum of the rows' cross-entropies.

        Args:
          query_embeddings: [num_queries, embedding_dim].
          candidate_embeddings: [corpus, embedding_dim], all candidates.
          sample_weight: [num_queries]; 1 each by default.
          target_rows: int32 [num_queries], the row of each query's positive in `candidate_embeddings`.
          not_negatives: Optional bool [num_windows, corpus]: candidates that do not count as
            negatives of a window's queries; a query's target counts as positive all the same.
          windows: int32 [num_queries], the row of each query in `not_negatives`.
        """
        if self._temperature is not None:
            query_embeddings /= self._temperature
        weights = tf.ones_like(query_embeddings[:, 0]) if sample_weight is None else sample_weight
        masks = None
        if not_negatives is not None:
            penalties = tf.where(not_negatives, tf.constant(MIN_FLOAT, query_embeddings.dtype), 0.0)
            masks = NotNegatives(penalties, windows)
        return corpus_cross_entropy(query_embeddings, candidate_embeddings, target_rows, weights, masks)


class CorpusSoftmax(TrainingLoss[CorpusLoss], kind="corpus"):
    """Each target against all candidates, in `train.loss.parts` parts that are computed side by side."""

    @functools.cached_property
    def task(self) -> CorpusRetrieval:
        """The task, which sums over a part's targets."""
        return CorpusRetrieval(temperature=self._section.temperature)

    def compute(self, model: TwoTowers, batch: TrainBatch, noise: Noise | None) -> tf.Tensor:
        """Returns the mean loss, see `TrainingLoss.compute`."""
        candidates = model.embed_candidates(noise=noise)
        parts = self._section.parts
        found = [
            self._part_loss(model, part, candidates, None if noise is None else noise.key_of_part(number, parts))
            for number, part in enumerate(split_windows(batch, parts))
        ]
        loss, weight = map(tf.add_n, zip(*found, strict=True))
        return tf.math.divide_no_nan(loss, weight)

    @functools.cached_property
    def _part_loss(self) -> Any:
        # One function, called per part: with all parts written into one graph, 2 cores trained 15,500 instead of 18,500
        # targets per second, and tracing took 6 s more (decision 16).
        return graph_function(self._loss_of_part, reduce_retracing=True)

    def _loss_of_part(
        self, model: TwoTowers, batch: TrainBatch, candidates: tf.Tensor, key: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the weighted sum of the losses of some windows' targets, and that of their weights."""
        noise = None if key is None else Noise(self._settings.train.seed, key)
        targets = flat_targets(batch)
        queries = model.embed_targets(batch, targets, candidates, batch.items, noise)
        loss = self.task(
            queries,
            candidates,
            sample_weight=targets.weights,
            target_rows=targets.rows,
            not_negatives=self._not_negatives(model, batch.seen),
            windows=targets.windows,
        )
        return loss, tf.reduce_sum(targets.weights)

    def _not_negatives(self, model: TwoTowers, seen: tf.Tensor) -> tf.Tensor | None:
        """Returns bool [batch, corpus], the candidates that are not negatives of a window; `seen` is [batch, n]."""
        masked = None
        if self._section.mask_other_targets:
            masked = rows_to_mask(seen, model.corpus_size)
        if self._section.mask_unseen_candidates and model.has_candidate_features:
            unseen = tf.tile((model.frequencies == 0.0)[tf.newaxis], [tf.shape(seen)[0], 1])
            masked = unseen if masked is None else masked | unseen
        return masked

    def eval_batch_size(self, corpus_size: int) -> int:
        """Returns a larger size than that of training where memory allows it: the loss does not depend on it.

        On MovieLens 100K, 943 rows take 0.55 s of a core in batches of 256, and 0.87 s in batches of 16. An epoch takes
        4.6 s.
        """
        of_memory = _MAX_EVAL_MASK_BYTES // (corpus_size * _BYTES_PER_MASKED)
        return max(self._settings.train.batch_size, min(of_memory, _EVAL_ROWS))

    def check_fits(self, corpus_size: int) -> None:
        """Refuses a catalogue that is too large, see `TrainingLoss.check_fits`.

        Scores are held a piece at a time (`corpus_cross_entropy`). Memory grows with the catalogue by the masks of a
        batch's windows, and by the embeddings with their gradients and moments.
        """
        batch_size, width = self._settings.train.batch_size, self._settings.model.embedding_dim
        of_masks = batch_size * _BYTES_PER_MASKED
        of_embeddings = width * _EMBEDDING_COPIES * 4
        gib = corpus_size * (of_masks + of_embeddings) / 2**30
        if gib > _MAX_GIB:
            raise ConfigError(
                f"train.loss.kind: corpus needs about {gib:.0f} GiB for train.batch_size={batch_size} "
                f"windows and {corpus_size:,} candidates of model.embedding_dim={width}, at most "
                f"{_MAX_GIB} are allowed; lower train.batch_size or use train.loss.kind: sampled"
            )


def rows_to_mask(rows: tf.Tensor, corpus_size: int) -> tf.Tensor:
    """Returns bool [batch, corpus_size], true at the columns that `rows` [batch, n], padded with -1, names."""
    present = tf.where(rows >= 0)
    columns = tf.gather_nd(tf.cast(rows, tf.int64), present)
    batch = tf.shape(rows, out_type=tf.int64)[0]
    shape = tf.stack([batch, tf.constant(corpus_size, tf.int64)])
    at = tf.stack([present[:, 0], columns], axis=1)
    return tf.tensor_scatter_nd_update(tf.zeros(shape, tf.bool), at, tf.ones_like(columns, tf.bool))
