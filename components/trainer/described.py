"""Embedding of described candidates: those of a catalogue, and those that are newer than it."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.graph import graph_function, one_row_per_query
from components.trainer import corpus as corpora
from components.trainer import inputs as served_inputs
from components.trainer.model import RetrievalModel
from components.trainer.raw_values import feature_types, sparse_features
from components.trainer.settings import Settings
from components.trainer.window_reader import WindowReader
from shortlist import keys


class DescribedCandidates(tf.Module):
    """The candidate tower with its vocabularies, for candidates that are given by id and features."""

    def __init__(
        self, model: RetrievalModel, reader: WindowReader, settings: Settings, transform: tft.TFTransformOutput
    ) -> None:
        """Takes the model's current weights; `transform` is the catalogue's transform graph."""
        super().__init__()
        # The namespace hides the model: tf.saved_model.save would save it as a Keras model, with its catalogue.
        self._hidden = types.SimpleNamespace(model=model)
        self._weights = model.candidate_tower.weights
        self._reader = reader
        self._transform = transform.transform_features_layer()
        self._types = feature_types(settings.candidate_features)
        self._specs = served_inputs.candidate_inputs(settings)

    def signature(self) -> Callable[..., Any]:
        """Returns `embed` as a tf.function of a dict, see `inputs.candidate_inputs`."""
        function: Callable[..., Any] = graph_function(self.embed, input_signature=[self._specs])
        return function

    def embed(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns `embedding` [batch, embedding_dim] and `known` [batch].

        A candidate with train interactions is embedded by its id and the given features, any other by the features
        alone. `known` tells whether the candidate was in the catalogue of the training.

        Args:
          inputs: See `inputs.candidate_inputs`.
        """
        inputs = one_row_per_query(inputs, "candidate")
        rows = self._reader.rows(inputs[keys.CANDIDATE_ID])
        features = corpora.transform_candidates(self._transform, sparse_features(inputs, self._types))
        embeddings = self._hidden.model.embed_described(rows, features)
        return {keys.EMBEDDING: embeddings, keys.KNOWN: rows >= 0}
