"""Parsed windows, with their candidates as rows of the corpus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.id_table import make_id_table
from components.trainer.batch import TrainBatch
from components.trainer.corpus import raw_feature_spec
from components.trainer.features import to_dense
from components.trainer.interactions import InteractionReader
from components.trainer.intervals import UNKNOWN
from components.trainer.settings import Settings
from shortlist import keys
from shortlist.config.features import Feature, FeatureType

WINDOW_IDS_SPEC = {
    name: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64)
    for name in (keys.HISTORY_IDS, keys.TARGET_IDS, keys.SEEN_IDS)
}
"""Parsing spec of a window's candidate ids."""

_WINDOW_SPEC = {
    **WINDOW_IDS_SPEC,
    **{
        name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
        for name in (keys.HISTORY_TIMES, keys.TARGET_TIMES)
    },
    keys.TARGET_WEIGHTS: tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
}


class EvalBatch(NamedTuple):
    """Rows of the eval or test split. Candidates are rows of the corpus, padded with -1."""

    features: Mapping[str, tf.Tensor]
    """Transformed query features and `query_id`, [batch, ...] each."""
    history: tf.Tensor
    """int32 [batch, length], oldest first."""
    target: tf.Tensor
    """int32 [batch]; -1 for a target that is not in the corpus."""
    seen: tf.Tensor
    """int32 [batch, seen], the query's seen items."""
    times: tf.Tensor
    """float32 [batch], time of the target, see `WindowReader.shares_of_span`."""
    clock: tf.Tensor
    """int64 [batch, length + 1]: times of the history's items, then the time of the target; 0 pads."""
    item_features: Mapping[str, tf.Tensor] = {}
    """Transformed features of the history's rows in the log, [batch, length] each, see `InteractionReader.of_items`."""
    context: Mapping[str, tf.Tensor] = {}
    """Transformed features of the request, [batch] each."""


class TargetRows(NamedTuple):
    """Candidates of eval or test windows as rows of a corpus, padded with -1."""

    history: tf.RaggedTensor
    """int32 [batch, (length)], oldest first; -1 for an item that is not in the corpus."""
    target: tf.Tensor
    """int32 [batch]; -1 for a target that is not in the corpus."""
    seen: tf.Tensor
    """int32 [batch, seen], the query's seen items."""


class QuerySide(NamedTuple):
    """The inputs of the query tower for eval or test windows; fields as in `EvalBatch`."""

    features: Mapping[str, tf.Tensor]
    history: tf.Tensor
    times: tf.Tensor
    clock: tf.Tensor | None
    item_features: Mapping[str, tf.Tensor]
    context: Mapping[str, tf.Tensor]


class CorpusRows(tf.Module):
    """A lookup table from candidate ids to rows of a corpus.

    Attributes:
      ids: tf.Variable, string [corpus].
    """

    def __init__(self, candidate_ids: np.ndarray) -> None:
        """Takes the corpus' ids, [corpus] bytes, sorted."""
        super().__init__()
        self.ids = tf.Variable(tf.constant(candidate_ids, tf.string), trainable=False, name="candidate_ids")
        self._rows = make_id_table(self.ids)

    def lookup(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Returns int32 of the same shape; -1 for an unknown id."""
        return self._rows.lookup(ids)

    def of_windows(self, parsed: Mapping[str, tf.RaggedTensor]) -> TargetRows:
        """Returns the rows of eval or test windows, parsed by `WINDOW_IDS_SPEC`, with one target each."""
        return TargetRows(
            history=self._rows.lookup(parsed[keys.HISTORY_IDS]),
            target=self._rows.lookup(parsed[keys.TARGET_IDS]).to_tensor(-1, shape=[None, 1])[:, 0],
            seen=self._rows.lookup(parsed[keys.SEEN_IDS]).to_tensor(-1),
        )


class WindowReader(tf.Module):
    """Parses serialized windows, in the same way for training, evaluation and the exported model."""

    def __init__(self, settings: Settings, candidate_ids: np.ndarray, window_transform: tft.TFTransformOutput) -> None:
        """Makes the lookup tables; `candidate_ids` is [corpus], sorted."""
        super().__init__()
        self._max_history = settings.windows.max_history
        self._strict_times = settings.strict_times
        self._basket_mates = settings.train.basket_mates
        self._shuffles_ties = settings.train.shuffle_ties
        self._raw_spec = raw_feature_spec(
            {keys.QUERY_ID: Feature(type=FeatureType.CATEGORY), **settings.query_features}
        )
        self._transform = window_transform.transform_features_layer()
        self._rows = CorpusRows(candidate_ids)
        self.interactions = InteractionReader(settings, self._transform)

    @property
    def candidate_ids(self) -> tf.Variable:
        """The ids, string [corpus]; the lookup table is made from this variable."""
        return self._rows.ids

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the corpus rows of candidate ids, int32 of the same shape; -1 for an unknown id."""
        return self._rows.lookup(ids)

    def transform(self, raw: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """Returns dense transformed query features and `query_id`, from sparse raw ones."""
        transformed = self._transform(dict(raw))
        return {name: to_dense(transformed[name]) for name in self._raw_spec}

    def shares_of_span(self, times: tf.SparseTensor) -> tf.Tensor:
        """Returns float32 [batch, n]: times relative to the span of the train targets, from 0 to 1.

        A missing time counts as 1, the end of the span. `n` is at least 1.
        """
        wide = tf.SparseTensor(times.indices, times.values, tf.maximum(times.dense_shape, [0, 1]))
        shares = self._transform({keys.TARGET_TIMES: wide})[keys.TARGET_TIMES]
        return tf.sparse.to_dense(shares, default_value=1.0)

    def latest(
        self,
        rows: tf.Tensor | tf.RaggedTensor,
        times: tf.Tensor | tf.RaggedTensor,
        query_times: tf.Tensor,
        raw: Mapping[str, tf.Tensor | tf.RaggedTensor],
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the latest `max_history` items of each history that the corpus has, their clock and their features.

        The items are int32 [batch, length], the clock is int64 [batch, length + 1], see `EvalBatch`.

        Args:
          rows: int32 [batch, n] rows of a corpus, oldest first; -1 for an item that is not in it.
          times: int64 [batch, n], the time of each item.
          query_times: int64 [batch], the time of each query.
          raw: [batch, n] each, the raw features of each item.
        """
        known = rows >= 0
        history, times, *columns = (
            tf.ragged.boolean_mask(column, known)[:, -self._max_history :] for column in (rows, times, *raw.values())
        )
        clock = tf.concat([times, tf.cast(query_times[:, tf.newaxis], tf.int64)], axis=1)
        features = self.interactions.of_items(dict(zip(raw, columns, strict=True)))
        return history.to_tensor(-1), clock.to_tensor(UNKNOWN), features

    def eval_batch(self, serialized: tf.Tensor) -> EvalBatch:
        """Returns the batch of serialized eval or test windows, string [batch], with one target each."""
        parsed, features = self._parse(serialized, self.interactions.eval_spec)
        rows = self._rows.of_windows(parsed)
        raw = self.interactions.raw_history(parsed)
        history, clock, item_features = self.latest(
            rows.history, parsed[keys.HISTORY_TIMES], _first(parsed[keys.TARGET_TIMES]), raw
        )
        context = self.interactions.of_windows(parsed)
        times = self._target_times(parsed)
        return EvalBatch(features, history, rows.target, rows.seen, times, clock, item_features, context)

    def query_side(self, serialized: tf.Tensor, history: tf.Tensor) -> QuerySide:
        """Returns the query tower's inputs for eval or test windows, with histories in another corpus.

        Args:
          serialized: [batch] strings.
          history: int32 [batch, n], each window's history as rows of the other corpus; -1 for padding and for items
            that are not in it.
        """
        parsed, features = self._parse(serialized, self.interactions.eval_spec)
        times = parsed[keys.HISTORY_TIMES].to_tensor(UNKNOWN)
        raw = {name: column.to_tensor() for name, column in self.interactions.raw_history(parsed).items()}
        latest, clock, item_features = self.latest(history, times, _first(parsed[keys.TARGET_TIMES]), raw)
        context = self.interactions.of_windows(parsed)
        return QuerySide(features, latest, self._target_times(parsed), clock, item_features, context)

    def _target_times(self, parsed: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        return self.shares_of_span(parsed[keys.TARGET_TIMES].to_sparse())[:, 0]

    def train_batch(self, serialized: tf.Tensor, seed: tf.Tensor) -> TrainBatch:
        """Returns the batch of serialized train windows.

        Args:
          serialized: string [batch].
          seed: [2], the seed of the random order of ties and of the choice of windows with basket mates.
        """
        parsed, features = self._parse(serialized, self.interactions.train_spec)
        of_history, of_targets = self.interactions.raw_history(parsed), self.interactions.raw_targets(parsed)
        history, history_times, *history_columns = self._known(
            parsed, keys.HISTORY_IDS, parsed[keys.HISTORY_TIMES], *of_history.values()
        )
        targets, target_times, weights, *target_columns = self._known(
            parsed, keys.TARGET_IDS, parsed[keys.TARGET_TIMES], parsed[keys.TARGET_WEIGHTS], *of_targets.values()
        )
        in_window = tf.cast(
            history.row_lengths()[:, tf.newaxis] + tf.range(tf.reduce_max(targets.row_lengths())), tf.int32
        )
        seeds = tf.random.experimental.stateless_split(seed, 3)
        if self._strict_times:
            times = tf.concat([history_times, target_times], axis=1).to_tensor(tf.int64.max)
            # "left" counts the items that are strictly older than the target, so its own basket is invisible.
            positions = tf.searchsorted(times, target_times.to_tensor(tf.int64.max), side="left")
            if self._basket_mates:
                with_mates = tf.random.stateless_uniform([tf.shape(positions)[0], 1], seeds[2]) < self._basket_mates
                positions = tf.where(with_mates, in_window, positions)
        else:
            positions = in_window
        if self._shuffles_ties or self._basket_mates:
            history, *history_columns = shuffled_ties(history_times, seeds[0], history, *history_columns)
            targets, weights, *target_columns = shuffled_ties(target_times, seeds[1], targets, weights, *target_columns)
        of_history = dict(zip(of_history, history_columns, strict=True))
        of_targets = dict(zip(of_targets, target_columns, strict=True))
        item_features = self.interactions.of_items(
            {name: tf.concat([column, of_targets[name]], axis=1) for name, column in of_history.items()}
        )
        context = self.interactions.of_items({name: of_targets[name] for name in self.interactions.context_names})
        items = tf.concat([history, targets], axis=1).to_tensor(-1)
        weights = weights.to_tensor(0.0)
        return TrainBatch(
            features=features,
            # The last item is only a target: no position attends to it.
            items=items[:, :-1],
            # A row of weight 0 is history for later targets, but never a target.
            targets=tf.where(weights > 0.0, targets.to_tensor(-1), -1),
            positions=positions,
            weights=weights,
            seen=self._rows.lookup(parsed[keys.SEEN_IDS]).to_tensor(-1),
            times=self.shares_of_span(target_times.to_sparse()),
            clock=tf.concat([history_times, target_times], axis=1).to_tensor(UNKNOWN),
            # A position attends to the items before its target, so that a target's own features stay out of its query.
            item_features={name: column[:, :-1] for name, column in item_features.items()},
            context=context,
        )

    def _known(
        self, parsed: Mapping[str, tf.RaggedTensor], ids: str, *columns: tf.RaggedTensor
    ) -> list[tf.RaggedTensor]:
        """Returns the corpus rows of ids and the given columns, without the ids that the corpus lacks."""
        rows = self._rows.lookup(parsed[ids])
        return [tf.ragged.boolean_mask(column, rows >= 0) for column in (rows, *columns)]

    def _parse(
        self, serialized: tf.Tensor, spec: Mapping[str, tf.io.RaggedFeature]
    ) -> tuple[dict[str, tf.RaggedTensor], dict[str, tf.Tensor]]:
        parsed = tf.io.parse_example(serialized, {**_WINDOW_SPEC, **spec, **self._raw_spec})
        return parsed, self.transform({name: parsed[name] for name in self._raw_spec})


def _first(times: tf.RaggedTensor) -> tf.Tensor:
    """Returns the first time of each row, int64 [batch]; `UNKNOWN` for an empty row."""
    return times.to_tensor(UNKNOWN, shape=[None, 1])[:, 0]


def shuffled_ties(times: tf.RaggedTensor, seed: tf.Tensor, *columns: tf.RaggedTensor) -> list[tf.RaggedTensor]:
    """Returns the columns with ties, entries of equal time, in a random order; the order is the same for all columns.

    Args:
      times: int64 [batch, n], ascending.
      seed: [2].
      columns: [batch, n] each.
    """
    dense = times.to_tensor(tf.int64.max)
    is_new = tf.pad(dense[:, 1:] != dense[:, :-1], [[0, 0], [1, 0]])[:, : tf.shape(dense)[1]]
    ties = tf.cumsum(tf.cast(is_new, tf.float32), axis=1)
    order = tf.argsort(ties + tf.random.stateless_uniform(tf.shape(dense), seed), axis=1, stable=True)
    lengths = times.row_lengths()
    return [
        tf.RaggedTensor.from_tensor(tf.gather(column.to_tensor(), order, batch_dims=1), lengths=lengths)
        for column in columns
    ]
