"""Loss `in_batch`: `tfrs.tasks.Retrieval` over single targets, plus uniform negatives."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.graph import without_autograph
from components.trainer.batch import TrainBatch, flat_targets, split_windows
from components.trainer.intervals import UNKNOWN
from components.trainer.losses import sampling
from components.trainer.losses.base import Parse, TrainingLoss, TwoTowers, total_weight
from components.trainer.noise import Noise
from components.trainer.team import WHOLE, Share
from shortlist import keys
from shortlist.config.losses import InBatchLoss

_SHUFFLE_TARGETS = 100_000
_EXPLODED_WINDOWS = 64


class InBatchSoftmax(TrainingLoss[InBatchLoss], kind="in_batch"):
    """Each target against the batch's other targets and candidates drawn uniformly.

    A batch is `train.batch_size` single targets, shuffled over all windows: the logQ correction assumes that a target
    comes as often as it does in train.
    """

    @functools.cached_property
    def task(self) -> tfrs.tasks.Retrieval:
        """The task of TFRS itself."""
        return tfrs.tasks.Retrieval(
            temperature=self._section.temperature,
            num_hard_negatives=self._section.num_hard_negatives,
            remove_accidental_hits=self._section.remove_accidental_hits,
        )

    def compute(self, model: TwoTowers, batch: TrainBatch, noise: Noise | None, share: Share = WHOLE) -> tf.Tensor:
        """Returns the mean loss, see `TrainingLoss.compute`.

        A replica embeds the queries of its share, and as their candidates the targets of the whole batch.
        """
        section = self._section
        own = batch
        candidates, queries_of_candidates = _targets_and_queries(batch)
        num_targets = tf.size(candidates)
        draws = noise or Noise(self._settings.train.seed, model.step)
        # All replicas draw the same uniform negatives.
        uniform_seed = draws.draw() if section.uniform_negatives else None
        if not share.is_whole:
            parts = split_windows(batch, share.of)
            own = parts[share.number]
            # TFRS expects the target of row i at place i.
            before = sum((_number_of_targets(part) for part in parts[: share.number]), tf.constant(0))
            candidates = tf.roll(candidates, -before, axis=0)
            queries_of_candidates = tf.roll(queries_of_candidates, -before, axis=0)
            if noise is not None:
                noise = Noise(self._settings.train.seed, noise.key_of_part(share.number, share.of))
        targets = flat_targets(own)
        sampled = candidates
        if uniform_seed is not None:
            uniform = tf.random.stateless_uniform(
                [section.uniform_negatives], uniform_seed, maxval=model.corpus_size, dtype=tf.int32
            )
            sampled = tf.concat([candidates, uniform], axis=0)
        # Only the candidates that this step names are embedded: the catalogue may be large.
        length = tf.size(own.items)
        named, places = tf.unique(tf.concat([tf.reshape(tf.maximum(own.items, 0), [-1]), sampled], axis=0))
        embedded = model.embed_candidates(named, noise=noise)
        items = tf.where(own.items >= 0, tf.reshape(places[:length], tf.shape(own.items)), -1)
        queries = model.embed_targets(own, targets, embedded, items, noise)
        probability = None
        if section.logq:
            probability = sampling.sampling_probability(
                sampled, model.frequencies, num_targets, section.uniform_negatives
            )
        loss = self._traced_task(
            queries,
            tf.gather(embedded, places[length:]),
            sample_weight=targets.weights,
            candidate_sampling_probability=probability,
            candidate_ids=sampled,
            compute_metrics=False,
            compute_batch_metrics=False,
            score_mask=of_other_queries(
                queries_of_candidates, section.uniform_negatives, None if share.is_whole else tf.size(targets.rows)
            ),
        )
        return tf.math.divide_no_nan(loss, total_weight(batch))

    @functools.cached_property
    def _traced_task(self) -> Any:
        # TFRS calls len(tf.shape(...)), which works only with AutoGraph. This converts the task and nothing else.
        return tf.function(self.task.__call__, reduce_retracing=True)

    def batches(self, records: tf.data.Dataset, parse: Parse, seed: tf.Tensor) -> tf.data.Dataset:
        """Returns batches of single targets, see `TrainingLoss.batches`."""
        max_history = self._settings.windows.max_history if self._settings.history_tower else 0

        def targets_of(number: tf.Tensor, rows: tf.Tensor) -> TrainBatch:
            return explode(parse(rows, tf.stack([seed, number])), max_history)

        targets = (
            records.batch(_EXPLODED_WINDOWS)
            .enumerate()
            .map(without_autograph(targets_of), tf.data.AUTOTUNE)
            # Dataset.unbatch reads through a null pointer where a column has width 0.
            .flat_map(tf.data.Dataset.from_tensor_slices)
            .shuffle(_SHUFFLE_TARGETS, seed=seed)
        )
        padding = tf.nest.map_structure(
            lambda spec: tf.constant(-1 if spec.dtype.is_integer else 0, spec.dtype), targets.element_spec
        )
        padding = padding._replace(clock=tf.constant(UNKNOWN, tf.int64))
        return targets.padded_batch(self._settings.train.batch_size, padding_values=padding)

    def count_batches(self, records: tf.data.Dataset, num_targets: int) -> int:
        """Returns the number of `batches`, see `TrainingLoss.count_batches`."""
        del records
        return -(-num_targets // self._settings.train.batch_size)

    def count_clipped(self, counts: np.ndarray) -> int:
        """Returns how many candidates logQ clips, see `TrainingLoss.count_clipped`."""
        if not self._section.logq:
            return 0
        frequencies = counts / max(counts.sum(), 1)
        return sampling.count_clipped(frequencies, self._settings.train.batch_size, self._section.uniform_negatives)


def explode(batch: TrainBatch, max_history: int) -> TrainBatch:
    """Returns a batch of the same targets, each in a window of its own behind its latest `max_history` items."""
    present = tf.where(batch.targets >= 0)
    windows = present[:, 0]
    ends = tf.gather_nd(batch.positions, present)
    starts = tf.maximum(ends - max_history, 0)
    width = tf.minimum(max_history, tf.shape(batch.items)[1])
    columns = starts[:, tf.newaxis] + tf.range(width)
    inside = columns < ends[:, tf.newaxis]
    items = tf.gather(tf.gather(batch.items, windows), tf.where(inside, columns, 0), batch_dims=1)
    places = starts[:, tf.newaxis] + tf.range(width + 1)
    on_clock = places <= ends[:, tf.newaxis]
    clock = tf.gather(tf.gather(batch.clock, windows), tf.where(on_clock, places, 0), batch_dims=1)
    return TrainBatch(
        features={name: tf.gather(column, windows) for name, column in batch.features.items()},
        items=tf.where(inside, items, -1),
        targets=tf.gather_nd(batch.targets, present)[:, tf.newaxis],
        positions=(ends - starts)[:, tf.newaxis],
        weights=tf.gather_nd(batch.weights, present)[:, tf.newaxis],
        seen=tf.zeros([tf.size(ends), 0], tf.int32),
        times=tf.gather_nd(batch.times, present)[:, tf.newaxis],
        clock=tf.where(on_clock, clock, UNKNOWN),
        item_features={
            name: _padded(inside, tf.gather(tf.gather(column, windows), tf.where(inside, columns, 0), batch_dims=1))
            for name, column in batch.item_features.items()
        },
        context={name: tf.gather_nd(column, present)[:, tf.newaxis] for name, column in batch.context.items()},
    )


def _padded(inside: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns the values, -1 for ids and 0 for numbers outside."""
    return tf.where(inside, values, tf.constant(0 if values.dtype.is_floating else -1, values.dtype))


def of_other_queries(queries: tf.Tensor, num_uniform: int, rows: tf.Tensor | None = None) -> tf.Tensor:
    """Returns bool [rows, P + N], the `score_mask` of TFRS: per row, the candidates that count.

    The candidates are P targets and N uniform negatives. A query's other targets in the batch are not its
    negatives. They stay candidates of all other queries, so that `sampling_probability` holds.

    Args:
      queries: [P], the query of each target.
      num_uniform: N.
      rows: int32 [], how many of the targets have a row, from the first; P by default.
    """
    number = tf.size(queries)
    rows = number if rows is None else rows
    counts = (queries[:rows, tf.newaxis] != queries[tf.newaxis, :]) | tf.eye(rows, number, dtype=tf.bool)
    return tf.concat([counts, tf.ones([rows, num_uniform], tf.bool)], axis=1)


def _targets_and_queries(batch: TrainBatch) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the targets of a batch and the query of each, [P] each."""
    targets = flat_targets(batch)
    return targets.rows, tf.gather(batch.features[keys.QUERY_ID][:, 0], targets.windows)


def _number_of_targets(batch: TrainBatch) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(batch.targets >= 0, tf.int32))
