"""Export of the trained model as a SavedModel with embedding, evaluation and slice signatures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.evaluator import slices
from components.evaluator.ranks import candidates_below, evaluation_ranks
from components.graph import gather_rows, graph_function, one_row_per_query
from components.trainer import inputs as served_inputs
from components.trainer.corpus import Corpus
from components.trainer.described import DescribedCandidates
from components.trainer.model import RetrievalModel, embed_histories
from components.trainer.raw_values import feature_types, missing, sparse_features
from components.trainer.settings import Settings
from components.trainer.window_reader import EvalBatch, QuerySide, WindowReader
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
      candidate_rows: tf.function from ids of any shape to rows of the corpus, int32, -1 for an unknown id.
      candidate_embeddings: tf.Variable, float32 [corpus, embedding_dim].
      candidate_counts: tf.Variable, int64 [corpus], the number of train targets of each candidate.
      candidates_below: tf.Variable, int64 [corpus], see `ranks.candidates_below`.
      popularity: tf.Variable, int32 [corpus], see `slices.popularity_buckets`.
      query_embedding: tf.function from a dict, see `inputs.query_inputs`, to `embedding` [batch, embedding_dim].
      candidate_embedding: tf.function from string [batch] ids to `embedding`, zeros for an unknown id.
      embed_candidates: tf.function of described candidates, see `DescribedCandidates.embed`.
      evaluation: tf.function from serialized eval or test windows [batch] to int64 ranks [batch] each.
      newcomer: tf.function without inputs to `embedding` [moments, embedding_dim] of a query without id, features and
        history. The moments are evenly spaced over train; a model without `query_time` has one moment, the end.
      slices: tf.function from serialized eval or test windows [batch] to each row's slices, string [batch] each.
    """

    def __init__(
        self,
        model: RetrievalModel,
        reader: WindowReader,
        corpus: Corpus,
        settings: Settings,
        candidate_transform: tft.TFTransformOutput,
    ) -> None:
        """Takes the model's current weights."""
        super().__init__()
        self.candidate_ids = reader.candidate_ids
        self.candidate_embeddings = tf.Variable(model.embed_corpus(), trainable=False, name="candidate_embeddings")
        self.candidate_counts = tf.Variable(corpus.counts, trainable=False, name="candidate_counts")
        self.candidates_below = tf.Variable(candidates_below(corpus.counts), trainable=False, name="candidates_below")
        self.popularity = tf.Variable(slices.popularity_buckets(corpus.counts), trainable=False, name="popularity")
        self._query_tower = model.query_tower
        self._reader = reader
        self._normalize = settings.model.normalize
        self._feature_types = feature_types(settings.query_features)
        query_specs = served_inputs.query_inputs(settings)
        self.query_embedding = graph_function(self._query_embedding, input_signature=[query_specs])
        strings = [tf.TensorSpec([None], tf.string, name=keys.CANDIDATE_ID)]
        self.candidate_rows = graph_function(reader.rows, input_signature=[tf.TensorSpec(None, tf.string)])
        self.candidate_embedding = graph_function(self._candidate_embedding, input_signature=strings)
        self._described = DescribedCandidates(model, reader, settings, candidate_transform)
        self.embed_candidates = self._described.signature()
        examples = [tf.TensorSpec([None], tf.string, name="examples")]
        self.evaluation = graph_function(self._evaluation, input_signature=examples)
        self.slices = graph_function(self._slices, input_signature=examples)
        self._moments = [1.0]
        if settings.model.query_time:
            self._moments = [moment / (_MOMENTS - 1) for moment in range(_MOMENTS)]
        self.newcomer = graph_function(self._newcomer, input_signature=[])

    def _query_embedding(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs = one_row_per_query(inputs)
        rows = self._reader.rows(inputs[keys.HISTORY_IDS])
        embeddings = served_inputs.embed_requests(
            self._query_tower,
            self._reader,
            self._feature_types,
            inputs,
            rows,
            self.candidate_embeddings,
            self._normalize,
        )
        return {keys.EMBEDDING: embeddings}

    def _newcomer(self) -> dict[str, tf.Tensor]:
        number = len(self._moments)
        types = {**self._feature_types, keys.QUERY_ID: FeatureType.CATEGORY}
        raw = sparse_features({name: missing(kind, number) for name, kind in types.items()}, types)
        side = QuerySide(
            self._reader.transform(raw),
            tf.zeros([number, 0], tf.int32),
            tf.constant(self._moments),
            None,
            *self._reader.interactions.unknown(number),
        )
        return {keys.EMBEDDING: self._embed(side)}

    def _candidate_embedding(self, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._reader.rows(candidate_id)
        known = tf.cast(rows >= 0, tf.float32)[:, tf.newaxis]
        return {keys.EMBEDDING: gather_rows(self.candidate_embeddings, tf.maximum(rows, 0)) * known}

    def _evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.eval_batch(examples)
        queries = self._embed(batch)
        return evaluation_ranks(queries, self.candidate_embeddings, self.candidates_below, batch.target, batch.seen)

    def _slices(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.eval_batch(examples)
        return slices.labels(batch.history, batch.target, batch.seen, self.popularity)

    def _embed(self, side: EvalBatch | QuerySide) -> tf.Tensor:
        return embed_histories(
            self._query_tower,
            side.features,
            side.history,
            self.candidate_embeddings,
            side.times,
            side.clock,
            self._normalize,
            side.item_features,
            side.context,
        )


def export(
    module: ServingModule,
    path: str,
    settings: Settings,
    corpus: Corpus,
    split_fingerprint: str,
    history: Any,
    test_from: int | None = None,
) -> None:
    """Writes the SavedModel and its `assets.extra/shortlist.json`.

    Args:
      module: The module to save.
      path: The SavedModel's folder.
      settings: Settings of the training.
      corpus: Corpus of the training.
      split_fingerprint: Fingerprint of the split; models of different splits cannot be compared.
      history: Result of `training.fit`.
      test_from: First time of the test split with split temporal, in seconds or as an order number. The training has
        read no row from then on.
    """
    signatures = {
        "query_embedding": module.query_embedding,
        "candidate_embedding": module.candidate_embedding,
        "embed_candidates": module.embed_candidates,
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
        "test_from": test_from,
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
