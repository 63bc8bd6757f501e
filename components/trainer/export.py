"""Export of the trained model as a SavedModel with embedding, evaluation and slice signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from components.evaluator import slices
from components.evaluator.ranks import evaluation_ranks
from components.graph import gather_rows, graph_function, one_row_per_query
from components.trainer.corpus import Corpus
from components.trainer.dataset import WindowReader
from components.trainer.intervals import UNKNOWN
from components.trainer.model import RetrievalModel, embed_histories
from components.trainer.settings import Settings
from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.model_files import TRAINED_FILE

CONTRACT_VERSION = 1
RANKS_VERSION = 2
"""2: a target that its query had seen has no rank without seen items."""


class ServingModule(tf.Module):
    """The module that is saved. It contains no ScaNN op, and a module that contains it can be saved, too.

    Attributes:
      candidate_ids: tf.Variable, string [corpus], sorted by bytes.
      candidate_embeddings: tf.Variable, float32 [corpus, embedding_dim].
      candidate_counts: tf.Variable, int64 [corpus], the number of train targets of each candidate.
      popularity: tf.Variable, int32 [corpus], see `slices.popularity_buckets`.
      query_embedding: tf.function from a dict, see `query_inputs`, to `embedding` [batch, embedding_dim].
      candidate_embedding: tf.function from string [batch] ids to `embedding`, zeros for an unknown id.
      evaluation: tf.function from serialized eval or test windows [batch] to int64 ranks [batch] each.
      newcomer: tf.function without inputs to `embedding` [moments, embedding_dim] of a query without id, features and
        history. The moments are evenly spaced over train; a model without `query_time` has one moment, the end.
      slices: tf.function from serialized eval or test windows [batch] to each row's slices, string [batch] each.
    """

    def __init__(self, model: RetrievalModel, reader: WindowReader, corpus: Corpus, settings: Settings) -> None:
        """Takes the model's current weights."""
        super().__init__()
        self.candidate_ids = tf.Variable(tf.constant(corpus.ids, tf.string), trainable=False, name="candidate_ids")
        self.candidate_embeddings = tf.Variable(model.embed_candidates(), trainable=False, name="candidate_embeddings")
        self.candidate_counts = tf.Variable(corpus.counts, trainable=False, name="candidate_counts")
        self.popularity = tf.Variable(slices.popularity_buckets(corpus.counts), trainable=False, name="popularity")
        self._query_tower = model.query_tower
        self._reader = reader
        self._normalize = settings.model.normalize
        self._feature_types = {name: feature.type for name, feature in settings.query_features.items()}
        self.query_embedding = graph_function(self._query_embedding, input_signature=[query_inputs(settings)])
        strings = [tf.TensorSpec([None], tf.string, name=keys.CANDIDATE_ID)]
        self.candidate_embedding = graph_function(self._candidate_embedding, input_signature=strings)
        examples = [tf.TensorSpec([None], tf.string, name="examples")]
        self.evaluation = graph_function(self._evaluation, input_signature=examples)
        self.slices = graph_function(self._slices, input_signature=examples)
        self._moments = [1.0]
        if settings.model.query_time:
            self._moments = [moment / (_MOMENTS - 1) for moment in range(_MOMENTS)]
        self.newcomer = graph_function(self._newcomer, input_signature=[])

    def _query_embedding(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs = one_row_per_query(inputs)
        raw = {name: _sparse(inputs[name], kind) for name, kind in self._feature_types.items()}
        raw[keys.QUERY_ID] = _sparse(inputs[keys.QUERY_ID], FeatureType.CATEGORY)
        rows = self._reader.rows(inputs[keys.HISTORY_IDS])
        query_times = inputs[keys.QUERY_TIME]
        # An interval ends at the query's time, so a request without it is as one without history times.
        has_time = query_times[:, tf.newaxis] != UNKNOWN
        times = tf.where(has_time, _of_width(inputs[keys.HISTORY_TIMES], tf.shape(rows)[1]), UNKNOWN)
        history, clock = self._reader.latest(rows, times, query_times)
        shares = self._reader.shares_of_span(_sparse(query_times, FeatureType.TIMESTAMP))
        return {keys.EMBEDDING: self._embed(self._reader.transform(raw), history, shares[:, 0], clock)}

    def _newcomer(self) -> dict[str, tf.Tensor]:
        number = len(self._moments)
        raw = {name: _sparse(_missing(kind, number), kind) for name, kind in self._feature_types.items()}
        raw[keys.QUERY_ID] = _sparse(_missing(FeatureType.CATEGORY, number), FeatureType.CATEGORY)
        history = tf.zeros([number, 0], tf.int32)
        return {keys.EMBEDDING: self._embed(self._reader.transform(raw), history, tf.constant(self._moments), None)}

    def _candidate_embedding(self, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._reader.rows(candidate_id)
        known = tf.cast(rows >= 0, tf.float32)[:, tf.newaxis]
        return {keys.EMBEDDING: gather_rows(self.candidate_embeddings, tf.maximum(rows, 0)) * known}

    def _evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.eval_batch(examples)
        queries = self._embed(batch.features, batch.history, batch.times, batch.clock)
        return evaluation_ranks(queries, self.candidate_embeddings, self.candidate_counts, batch.target, batch.seen)

    def _slices(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.eval_batch(examples)
        return slices.labels(batch.history, batch.target, batch.seen, self.popularity)

    def _embed(
        self, features: Mapping[str, tf.Tensor], history: tf.Tensor, times: tf.Tensor, clock: tf.Tensor | None
    ) -> tf.Tensor:
        return embed_histories(
            self._query_tower, features, history, self.candidate_embeddings, times, clock, self._normalize
        )


def query_inputs(settings: Settings) -> dict[str, tf.TensorSpec]:
    """Returns the inputs of `query_embedding` by name.

    A missing value is "" for strings, NaN for a numeric feature and 0 for a time. The padding of `history_ids` (at the
    right) and of multi_category features is "", too.
    """
    specs = {
        keys.QUERY_ID: tf.TensorSpec([None], tf.string, name=keys.QUERY_ID),
        keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.string, name=keys.HISTORY_IDS),
        keys.HISTORY_TIMES: tf.TensorSpec([None, None], tf.int64, name=keys.HISTORY_TIMES),
        keys.QUERY_TIME: tf.TensorSpec([None], tf.int64, name=keys.QUERY_TIME),
    }
    for name, feature in settings.query_features.items():
        shape = [None, None] if feature.type is FeatureType.MULTI_CATEGORY else [None]
        specs[name] = tf.TensorSpec(shape, _DTYPES.get(feature.type, tf.string), name=name)
    return specs


def export(
    module: ServingModule, path: str, settings: Settings, corpus: Corpus, split_fingerprint: str, history: Any
) -> None:
    """Writes the SavedModel and its `assets.extra/shortlist.json`.

    Args:
      module: The module to save.
      path: The SavedModel's folder.
      settings: Settings of the training.
      corpus: Corpus of the training.
      split_fingerprint: Fingerprint of the split; models of different splits cannot be compared.
      history: Result of `training.fit`.
    """
    signatures = {
        "query_embedding": module.query_embedding,
        "candidate_embedding": module.candidate_embedding,
        "evaluation": module.evaluation,
        "slices": module.slices,
        "newcomer": module.newcomer,
    }
    tf.saved_model.save(module, path, signatures=signatures)
    metadata = {
        "contract_version": CONTRACT_VERSION,
        "ranks_version": RANKS_VERSION,
        "catalogue_sha256": corpus.sha256,
        "split_fingerprint": split_fingerprint,
        "features_sha256": settings.features_sha256(),
        "config": settings.to_json(),
        "query_features": {name: feature.type.value for name, feature in sorted(settings.query_features.items())},
        "embedding_dim": settings.model.embedding_dim,
        "corpus_size": corpus.size,
        "max_history": settings.windows.max_history,
        "train": history,
    }
    file_path = os.path.join(path, TRAINED_FILE)
    tf.io.gfile.makedirs(os.path.dirname(file_path))
    with tf.io.gfile.GFile(file_path, "w") as file:
        file.write(json.dumps(metadata, indent=2, sort_keys=True))


# The default number of knots in the config's `model.query_time`.
_MOMENTS = 32
_DTYPES = {FeatureType.NUMERIC: tf.float32, FeatureType.TIMESTAMP: tf.int64}


def _sparse(values: tf.Tensor, kind: FeatureType) -> tf.SparseTensor:
    """Returns the values as parsing does: [batch, n] without entries for missing values."""
    columns = values
    if kind is not FeatureType.MULTI_CATEGORY:
        columns = values[:, tf.newaxis]
    if kind is FeatureType.NUMERIC:
        present = ~tf.math.is_nan(columns)
    elif kind is FeatureType.TIMESTAMP:
        present = columns != 0
    else:
        present = columns != ""
    indices = tf.where(present)
    return tf.SparseTensor(indices, tf.gather_nd(columns, indices), tf.shape(columns, out_type=tf.int64))


def _of_width(times: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns times cut or padded to [batch, width]; a request may have fewer times than items."""
    times = times[:, :width]
    return tf.pad(times, [[0, 0], [0, width - tf.shape(times)[1]]], constant_values=UNKNOWN)


def _missing(kind: FeatureType, number: int) -> tf.Tensor:
    """Returns missing values as `query_inputs` defines them: [number] or, for multi_category, [number, 1]."""
    fill = {FeatureType.NUMERIC: float("nan"), FeatureType.TIMESTAMP: 0}.get(kind, "")
    shape = [number, 1] if kind is FeatureType.MULTI_CATEGORY else [number]
    return tf.fill(shape, tf.constant(fill, _DTYPES.get(kind, tf.string)))
