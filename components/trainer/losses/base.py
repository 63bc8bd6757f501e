"""Interface of a loss: its batches, its value, its memory check and its clipping."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

import numpy as np
import tensorflow as tf

from components.graph import without_autograph
from components.trainer.batch import PartT, Targets, TrainBatch, split_windows
from components.trainer.noise import Noise
from components.trainer.settings import Settings
from components.trainer.team import WHOLE, Share
from shortlist import keys
from shortlist.config.losses import LossSection

# The value with which tfrs.tasks.Retrieval masks a score.
MIN_FLOAT = float(np.finfo(np.float32).min) / 100.0

Parse = Callable[[tf.Tensor, tf.Tensor], TrainBatch]
"""Makes a batch of serialized train windows, string [batch], and a seed [2]; see `WindowReader.train_batch`."""

SectionT = TypeVar("SectionT", bound=LossSection)

_CLASSES: dict[str, type[TrainingLoss[Any]]] = {}
_LENGTH_SPEC = {name: tf.io.RaggedFeature(tf.string) for name in (keys.HISTORY_IDS, keys.TARGET_IDS)}


class TwoTowers(Protocol):
    """The part of `RetrievalModel` that losses use."""

    step: tf.Variable
    """int64, training steps done."""

    @property
    def corpus_size(self) -> int:
        """Candidates in the catalogue."""

    @property
    def frequencies(self) -> tf.Tensor:
        """float32 [corpus], each candidate's share of the train targets."""

    @property
    def has_candidate_features(self) -> bool:
        """Whether a candidate has more than its id."""

    def embed_candidates(self, rows: tf.Tensor | None = None, noise: Noise | None = None) -> tf.Tensor:
        """Returns [n, embedding_dim] for rows [n] of the corpus; for all of it by default."""

    def embed_targets(
        self, batch: TrainBatch, targets: Targets, candidates: tf.Tensor, items: tf.Tensor, noise: Noise | None
    ) -> tf.Tensor:
        """Returns the queries of a batch's targets, see `RetrievalModel.embed_targets`."""


class TrainingLoss(abc.ABC, Generic[SectionT]):
    """All that depends on `train.loss`, but for its section of the config.

    A subclass names the kind of its section: `class CorpusSoftmax(TrainingLoss[CorpusLoss], kind="corpus")`. By
    default a batch is `train.batch_size` whole windows, whose targets a history tower embeds in one pass.
    """

    has_sparse_gradients: ClassVar[bool] = False
    """Whether a step reads few rows of the embedding tables; the optimizer then moves only these."""

    def __init_subclass__(cls, kind: str, **more: Any) -> None:
        """Registers the loss for `make_loss`."""
        super().__init_subclass__(**more)
        _CLASSES[kind] = cls

    def __init__(self, settings: Settings) -> None:
        """Takes settings whose `train.loss` is of this kind."""
        self._settings = settings
        self._section = cast(SectionT, settings.train.loss)

    @abc.abstractmethod
    def compute(self, model: TwoTowers, batch: TrainBatch, noise: Noise | None, share: Share = WHOLE) -> tf.Tensor:
        """Returns the mean loss of a batch's targets, weighted; 0 where no target has a weight.

        Args:
          model: The same model in all calls, so that a loss may cache graphs that were traced for it.
          batch: One of `batches`.
          noise: Source of dropout and other random draws; None outside of training.
          share: The replica's share of the batch. The results of all replicas add up to the mean loss of the batch:
            negatives and their weights are those of the whole batch.
        """

    def batches(self, records: tf.data.Dataset, parse: Parse, seed: tf.Tensor) -> tf.data.Dataset:
        """Returns the `TrainBatch`es of one epoch, in which each target comes once.

        Args:
          records: Serialized train windows in the epoch's order.
          parse: Makes a batch of some of the records. Its seed consists of `seed` and the batch's number.
          seed: int64 []; the batches depend on it and on the order of the records alone.
        """
        batches = _similar_lengths(records, self._settings).enumerate()
        return batches.map(
            without_autograph(lambda number, rows: parse(rows, tf.stack([seed, number]))), tf.data.AUTOTUNE
        )

    def count_batches(self, records: tf.data.Dataset, num_targets: int) -> int:
        """Returns the number of `batches`, which no order and no seed changes.

        Args:
          records: Serialized train windows in any order.
          num_targets: Train targets in all of them.
        """
        del num_targets
        batches = _similar_lengths(records, self._settings)
        return int(batches.reduce(np.int64(0), lambda count, _: count + 1).numpy())

    def eval_batch_size(self, corpus_size: int) -> int:
        """Returns the number of eval rows in a batch of the eval loss: that of training, if the loss depends on it.

        Args:
          corpus_size: Candidates in the catalogue.
        """
        del corpus_size
        return self._settings.train.batch_size

    def check_fits(self, corpus_size: int) -> None:
        """Refuses a catalogue that is too large for a step to fit into memory; refuses none by default.

        Args:
          corpus_size: Candidates in the catalogue.

        Raises:
          ConfigError: The memory that a step needs, and the setting to change.
        """

    def count_clipped(self, counts: np.ndarray) -> int:
        """Returns the number of candidates whose sampling probability is clipped; 0 without a sampler.

        Args:
          counts: int64 [corpus], how often each candidate is a train target.
        """
        del counts
        return 0


def make_loss(settings: Settings) -> TrainingLoss[Any]:
    """Returns the loss that `train.loss` names."""
    return _CLASSES[settings.train.loss.kind](settings)


def mean_over_parts(
    part_loss: Callable[[PartT, tf.Tensor | None], tuple[tf.Tensor, tf.Tensor]],
    windows: PartT,
    parts: int,
    noise: Noise | None,
    share: Share,
    batch: TrainBatch,
) -> tf.Tensor:
    """Returns the mean loss of windows whose losses are computed in parts; 0 where no target has a weight.

    A replica computes some of the parts, with the noise that a single process would have for them.

    Args:
      part_loss: Returns the weighted sum of the losses of some windows, and that of their weights. Its second argument
        is the part's key for noise, or None.
      windows: A structure of tensors [batch, ...].
      parts: Number of parts.
      noise: Source of random draws; None outside of training.
      share: The replica's share of the parts, see `TrainingLoss.compute`.
      batch: The windows as a batch.
    """
    all_parts = split_windows(windows, parts)
    found = [
        part_loss(all_parts[number], None if noise is None else noise.key_of_part(number, parts))
        for number in share.parts(parts)
    ]
    loss, weight = map(tf.add_n, zip(*found, strict=True))
    return tf.math.divide_no_nan(loss, weight if share.is_whole else total_weight(batch))


def total_weight(batch: TrainBatch) -> tf.Tensor:
    """Returns the sum of the weights of a batch's targets."""
    return tf.reduce_sum(tf.where(batch.targets >= 0, batch.weights, 0.0))


def _similar_lengths(records: tf.data.Dataset, settings: Settings) -> tf.data.Dataset:
    """Batches serialized windows of similar length, so that little time goes into padding."""
    longest = settings.windows.max_history + settings.windows.max_targets
    boundaries = np.unique(np.geomspace(8, longest, 9).astype(np.int64))
    boundaries = tf.constant(boundaries, tf.int64)

    def bucket(serialized: tf.Tensor) -> tf.Tensor:
        parsed = tf.io.parse_single_example(serialized, _LENGTH_SPEC)
        length = sum(tf.size(values, tf.int64) for values in parsed.values())
        return tf.searchsorted(boundaries, length[tf.newaxis], out_type=tf.int64)[0]

    return records.group_by_window(
        key_func=without_autograph(bucket),
        reduce_func=lambda _, rows: rows.batch(settings.train.batch_size),
        window_size=settings.train.batch_size,
    )
