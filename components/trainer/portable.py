"""SavedModel of the trained towers without their catalogue, with which a later run embeds its own catalogue."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.graph import graph_function, one_row_per_query
from components.trainer import corpus as corpora
from components.trainer import inputs as served_inputs
from components.trainer.corpus import Corpus
from components.trainer.described import DescribedCandidates
from components.trainer.model import RetrievalModel, embed_histories
from components.trainer.raw_values import feature_types
from components.trainer.settings import Settings
from components.trainer.window_reader import WindowReader
from shortlist import keys

EMBED_CATALOGUE = "embed_catalogue"
"""Signature from `examples`, serialized flat candidates [batch], to the outputs below, [batch, ...] each."""

COUNT = "count"
"""Output, int64: the candidate's number of train targets."""

EMBED_WINDOWS = "embed_windows"
"""Signature from `examples`, serialized eval or test windows, to the `embedding` of their queries, in any corpus."""

EMBED_QUERIES = "embed_queries"
"""Signature from `inputs.query_inputs` to the queries' `embedding`. `history_ids` is int32, rows of a corpus, -1 for
padding and for items that it lacks; the input `embedding` is that corpus, float32 [corpus, embedding_dim]."""

EMBED_CANDIDATES = "embed_candidates"
"""Signature of described candidates, see `DescribedCandidates.embed`."""

HISTORY = "history"
"""Input, int32 [batch, length]: each window's history as rows of `candidates`, oldest first; -1 for padding and for
items that `candidates` lack."""

CANDIDATES = "candidates"
"""Input, float32 [corpus, embedding_dim]."""

# TensorFlow's name of an entry of `PortableTowers._weights` in a checkpoint.
_WEIGHT = re.compile(r"_weights/(\d+)/\.ATTRIBUTES/VARIABLE_VALUE")


def tower_weights(model: RetrievalModel) -> list[tf.Variable]:
    """Returns all weights of both towers, in the order of the saved ones; see `read_weights`."""
    return [*model.query_tower.weights, *model.candidate_tower.weights]


def read_weights(path: str) -> list[np.ndarray]:
    """Returns the weights of saved towers, in the order of `tower_weights`, without their graphs."""
    reader = tf.train.load_checkpoint(os.path.join(path, "variables", "variables"))
    names = sorted(
        (int(match[1]), name)
        for name in reader.get_variable_to_shape_map()
        if (match := _WEIGHT.fullmatch(name)) is not None
    )
    return [reader.get_tensor(name) for _, name in names]


class PortableTowers(tf.Module):
    """Both towers with the vocabularies of their training.

    A candidate that the model does not know is embedded by its features alone, like one without train interactions.
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
        # The namespace hides the model: tf.saved_model.save would save it as a Keras model, with its catalogue.
        self._hidden = types.SimpleNamespace(model=model)
        self._weights = tower_weights(model)
        self._reader = reader
        self._features = settings.candidate_features
        self._normalize = settings.model.normalize
        self._transform = candidate_transform.transform_features_layer()
        self._feature_types = feature_types(settings.query_features)
        self._query_specs = served_inputs.query_inputs(settings)
        self._described = DescribedCandidates(model, reader, settings, candidate_transform)
        self._counts = tf.Variable(corpus.counts, trainable=False, name="candidate_counts")

    def save(self, path: str) -> None:
        """Writes the SavedModel."""
        examples = tf.TensorSpec([None], tf.string, name="examples")
        history = tf.TensorSpec([None, None], tf.int32, name=HISTORY)
        candidates = tf.TensorSpec([None, None], tf.float32, name=CANDIDATES)
        # Features cannot have these names, unlike those of the inputs above.
        requests = {
            **self._query_specs,
            keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.int32, name=keys.HISTORY_IDS),
            keys.EMBEDDING: tf.TensorSpec([None, None], tf.float32, name=keys.EMBEDDING),
        }
        signatures = {
            EMBED_CATALOGUE: graph_function(self._embed_catalogue, input_signature=[examples]),
            EMBED_WINDOWS: graph_function(self._embed_windows, input_signature=[examples, history, candidates]),
            EMBED_QUERIES: graph_function(self._embed_queries, input_signature=[requests]),
            EMBED_CANDIDATES: self._described.signature(),
        }
        tf.saved_model.save(self, path, signatures=signatures)

    def _embed_catalogue(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, raw = corpora.parse_candidates(examples, self._features)
        rows = self._reader.rows(ids)
        embeddings = self._hidden.model.embed_described(rows, corpora.transform_candidates(self._transform, raw))
        known = rows >= 0
        counts = tf.where(known, tf.gather(self._counts, tf.maximum(rows, 0)), 0)
        return {keys.CANDIDATE_ID: ids, keys.EMBEDDING: embeddings, keys.KNOWN: known, COUNT: counts}

    def _embed_windows(self, examples: tf.Tensor, history: tf.Tensor, candidates: tf.Tensor) -> dict[str, tf.Tensor]:
        side = self._reader.query_side(examples, history)
        tower = self._hidden.model.query_tower
        queries = embed_histories(
            tower,
            side.features,
            side.history,
            candidates,
            side.times,
            side.clock,
            self._normalize,
            side.item_features,
            side.context,
        )
        return {keys.EMBEDDING: queries}

    def _embed_queries(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        requests = one_row_per_query({name: value for name, value in inputs.items() if name != keys.EMBEDDING})
        queries = served_inputs.embed_requests(
            self._hidden.model.query_tower,
            self._reader,
            self._feature_types,
            requests,
            requests[keys.HISTORY_IDS],
            inputs[keys.EMBEDDING],
            self._normalize,
        )
        return {keys.EMBEDDING: queries}
