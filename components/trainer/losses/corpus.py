"""Loss `corpus`: softmax over the whole catalogue."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.graph import graph_function
from components.trainer.batch import TrainBatch, flat_targets
from components.trainer.losses.base import MIN_FLOAT, TrainingLoss, TwoTowers, mean_over_parts
from components.trainer.losses.corpus_cross_entropy import NotNegatives, corpus_cross_entropy
from components.trainer.losses.tiled_cross_entropy import Masked, tiled_cross_entropy
from components.trainer.noise import Noise
from components.trainer.team import WHOLE, Share
from shortlist.config.losses import CorpusLoss
from shortlist.errors import ConfigError

TILED_FROM = 20_000
"""Candidates from which on they are scored in tiles. With 20,000 candidates both ways are equally fast; with 200,000, a
CPU-second trains 900 targets in tiles and 74 without."""
# Per window and candidate, without tiles: three flags of a byte and a penalty of four.
_BYTES_PER_MASKED = 7
# Table, two moments and gradient; the embeddings and, for each of two parts, a copy and two sums of gradients.
_EMBEDDING_COPIES = 12
_MAX_GIB = 16
_EVAL_ROWS = 256


class CorpusRetrieval(tfrs.tasks.Retrieval):
    """Softmax over the whole catalogue.

    In the base class the negatives are the batch's candidates, here they are all candidates of the catalogue. There is
    no sampling to correct and no accidental hit to remove, and a query's other targets can be masked exactly.
    `target_rows` has the positive of each row; the order of the candidates does not matter. Temperature, the sum over
    rows, factorized metrics and loss metrics are the base class's.
    """

    def __init__(
        self,
        temperature: float | None = None,
        metrics: Sequence[Any] | Any | None = None,
        loss_metrics: list[tf.keras.metrics.Metric] | None = None,
        name: str | None = None,
        **unsupported: Any,
    ) -> None:
        """Takes the base class's arguments.

        Raises:
          ValueError: An argument that needs the matrix [num_queries, corpus] of scores, which never exists here, or
            that corrects a sample of the candidates.
        """
        if unsupported:
            raise ValueError(
                f"CorpusRetrieval scores all candidates in parts and has no {', '.join(sorted(unsupported))}; expected "
                "temperature, metrics, loss_metrics and name alone, use tfrs.tasks.Retrieval for the others"
            )
        super().__init__(temperature=temperature, metrics=metrics, loss_metrics=loss_metrics, name=name)

    def call(
        self,
        query_embeddings: tf.Tensor,
        candidate_embeddings: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
        target_rows: tf.Tensor | None = None,
        masked: Masked | None = None,
        negatives: tf.Tensor | None = None,
        candidate_ids: tf.Tensor | None = None,
        compute_metrics: bool = True,
    ) -> tf.Tensor:
        """Returns the weighted sum of the rows' cross-entropies.

        Args:
          query_embeddings: [num_queries, embedding_dim].
          candidate_embeddings: [corpus, embedding_dim], all candidates.
          sample_weight: [num_queries]; 1 each by default.
          target_rows: int32 [num_queries], the row of each query's positive in `candidate_embeddings`.
          masked: Optional candidates that do not count as negatives of a window's queries; a query's target counts as
            positive all the same.
          negatives: Optional int32 [n], distinct and ascending: the only rows that are negatives of any query.
          candidate_ids: Optional [num_queries], the id of each query's positive, for metrics by id.
          compute_metrics: Whether to update the factorized metrics.

        Raises:
          ValueError: The queries have several embeddings each, [num_queries, num_heads, embedding_dim].
        """
        if query_embeddings.shape.rank != 2:
            raise ValueError(
                f"CorpusRetrieval got query embeddings of shape {query_embeddings.shape}; expected one per query, "
                "[num_queries, embedding_dim], use tfrs.tasks.Retrieval for queries with several embeddings"
            )
        scaled = query_embeddings
        if self._temperature is not None:
            scaled = query_embeddings / self._temperature
        weights = tf.ones_like(query_embeddings[:, 0]) if sample_weight is None else sample_weight
        size = candidate_embeddings.shape[0]
        softmax = _whole if size is not None and size < TILED_FROM else _tiled
        loss = softmax(scaled, candidate_embeddings, target_rows, weights, masked, negatives)
        updates = [metric.update_state(loss) for metric in self._loss_metrics]
        if compute_metrics and self._factorized_metrics:
            positives = tf.gather(candidate_embeddings, target_rows)
            updates += [
                metric.update_state(
                    query_embeddings, positives, true_candidate_ids=candidate_ids, sample_weight=sample_weight
                )
                for metric in self._factorized_metrics
            ]
        with tf.control_dependencies(updates):
            return tf.identity(loss)


def _whole(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    masked: Masked | None,
    negatives: tf.Tensor | None,
) -> tf.Tensor:
    """Returns the loss by `corpus_cross_entropy`, for a small catalogue."""
    corpus_size = candidates.shape[0]
    penalties = windows = None
    if masked is not None:
        windows = masked.windows
        penalties = rows_to_mask(masked.rows, corpus_size)
    if negatives is not None:
        never = ~rows_to_mask(negatives[tf.newaxis], corpus_size)
        windows = tf.zeros_like(targets) if windows is None else windows
        penalties = never if penalties is None else penalties | never
    if penalties is None:
        return corpus_cross_entropy(queries, candidates, targets, weights)
    penalties = tf.where(penalties, tf.constant(MIN_FLOAT, queries.dtype), 0.0)
    return corpus_cross_entropy(queries, candidates, targets, weights, NotNegatives(penalties, windows))


def _tiled(
    queries: tf.Tensor,
    candidates: tf.Tensor,
    targets: tf.Tensor,
    weights: tf.Tensor,
    masked: Masked | None,
    negatives: tf.Tensor | None,
) -> tf.Tensor:
    """Returns the loss by `tiled_cross_entropy`, which needs no mask per window and candidate."""
    own = tf.reduce_sum(queries * tf.gather(candidates, targets), axis=1)
    if negatives is not None:
        # What is no query's negative is not scored at all.
        places = tf.fill(tf.shape(candidates)[:1], -1)
        places = tf.tensor_scatter_nd_update(places, negatives[:, tf.newaxis], tf.range(tf.size(negatives)))
        candidates = tf.gather(candidates, negatives)
        targets = tf.gather(places, targets)
        if masked is not None:
            rows = tf.where(masked.rows >= 0, tf.gather(places, tf.maximum(masked.rows, 0)), -1)
            masked = masked._replace(rows=rows)
    return tiled_cross_entropy(queries, candidates, own, targets, weights, masked)


class CorpusSoftmax(TrainingLoss[CorpusLoss], kind="corpus"):
    """Each target against all candidates, in `train.loss.parts` parts that are computed side by side."""

    @functools.cached_property
    def task(self) -> CorpusRetrieval:
        """The task, which sums over a part's targets."""
        return CorpusRetrieval(temperature=self._section.temperature)

    def compute(self, model: TwoTowers, batch: TrainBatch, noise: Noise | None, share: Share = WHOLE) -> tf.Tensor:
        """Returns the mean loss, see `TrainingLoss.compute`."""
        candidates = model.embed_candidates(noise=noise)
        return mean_over_parts(
            lambda part, key: self._part_loss(model, part, candidates, key),
            batch,
            self._section.parts,
            noise,
            share,
            batch,
        )

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
        candidates = tf.ensure_shape(candidates, [model.corpus_size, None])
        targets = flat_targets(batch)
        queries = model.embed_targets(batch, targets, candidates, batch.items, noise)
        loss = self.task(
            queries,
            candidates,
            sample_weight=targets.weights,
            target_rows=targets.rows,
            masked=Masked(batch.seen, targets.windows) if self._section.mask_other_targets else None,
            negatives=self._negatives(model),
        )
        return loss, tf.reduce_sum(targets.weights)

    def _negatives(self, model: TwoTowers) -> tf.Tensor | None:
        """Returns int32 [n], the rows of the candidates that can be negatives; None for all of them."""
        if not (self._section.mask_unseen_candidates and model.has_candidate_features):
            return None
        return tf.cast(tf.where(model.frequencies > 0.0)[:, 0], tf.int32)

    def eval_batch_size(self, corpus_size: int) -> int:
        """Returns a larger size than that of training, because the loss does not depend on it.

        On MovieLens 100K, 943 rows take 0.55 s of a core in batches of 256, and 0.87 s in batches of 16. An epoch takes
        4.6 s.
        """
        del corpus_size
        return max(self._settings.train.batch_size, _EVAL_ROWS)

    def check_fits(self, corpus_size: int) -> None:
        """Refuses a catalogue that is too large, see `TrainingLoss.check_fits`.

        Scores are held a piece or a tile at a time. Memory grows with the catalogue by the embeddings with their
        gradients and moments and, without tiles, by the masks of a batch's windows.
        """
        batch_size, width = self._settings.train.batch_size, self._settings.model.embedding_dim
        of_masks = batch_size * _BYTES_PER_MASKED if corpus_size < TILED_FROM else 0
        of_embeddings = width * _EMBEDDING_COPIES * 4
        gib = corpus_size * (of_masks + of_embeddings) / 2**30
        if gib > _MAX_GIB:
            remedy = "train.batch_size" if of_masks > of_embeddings else "model.embedding_dim"
            raise ConfigError(
                f"train.loss.kind: corpus needs about {gib:.0f} GiB for train.batch_size={batch_size} "
                f"windows and {corpus_size:,} candidates of model.embedding_dim={width}, at most "
                f"{_MAX_GIB} are allowed; lower {remedy} or use train.loss.kind: sampled"
            )


def rows_to_mask(rows: tf.Tensor, corpus_size: int) -> tf.Tensor:
    """Returns bool [batch, corpus_size], true at the columns that `rows` [batch, n], padded with -1, names."""
    present = tf.where(rows >= 0)
    columns = tf.gather_nd(tf.cast(rows, tf.int64), present)
    batch = tf.shape(rows, out_type=tf.int64)[0]
    shape = tf.stack([batch, tf.constant(corpus_size, tf.int64)])
    at = tf.stack([present[:, 0], columns], axis=1)
    return tf.tensor_scatter_nd_update(tf.zeros(shape, tf.bool), at, tf.ones_like(columns, tf.bool))
