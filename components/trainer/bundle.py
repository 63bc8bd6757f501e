"""A new model with its settings, corpus and window reader, made from the artifacts of a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from components import shards
from components.trainer.corpus import Corpus, load_corpus
from components.trainer.features import feature_specs
from components.trainer.losses import make_loss
from components.trainer.model import RetrievalModel
from components.trainer.settings import Settings
from components.trainer.team import ALONE, Team
from components.trainer.window_reader import WindowReader
from components.transform.outputs import vocabulary_size
from shortlist import keys


class Inputs(NamedTuple):
    """Locations of the catalogue and of the two transform graphs."""

    candidates: Sequence[str]
    """gz TFRecord files of flat candidates."""
    candidate_transform: str
    """The catalogue's transform graph."""
    window_transform: str
    """The windows' transform graph."""

    @property
    def files(self) -> list[str]:
        """All files of the catalogue and the graphs."""
        graphs = (self.candidate_transform, self.window_transform)
        return [*self.candidates, *(path for graph in graphs for path in _files_below(graph))]


class ModelBundle(NamedTuple):
    """An untrained model with everything that training and export need."""

    settings: Settings
    corpus: Corpus
    reader: WindowReader
    model: RetrievalModel
    candidate_transform: tft.TFTransformOutput
    window_transform: tft.TFTransformOutput

    @classmethod
    def read(cls, settings: Settings, inputs: Inputs, team: Team = ALONE) -> ModelBundle:
        """Reads the inputs and makes a model whose initial weights depend on the seed alone.

        Args:
          settings: Settings of the training.
          inputs: The catalogue and the graphs.
          team: The replicas that get a copy of the weights.

        Raises:
          ConfigError: The loss cannot fit into memory.
          DataError: The catalogue is empty or contains an id twice.
        """
        # Before any weight is made: Keras' initializers draw from the global seed.
        tf.keras.utils.set_random_seed(settings.train.seed)
        candidate_transform = tft.TFTransformOutput(inputs.candidate_transform)
        window_transform = tft.TFTransformOutput(inputs.window_transform)
        corpus = load_corpus(inputs.candidates, settings.candidate_features, candidate_transform, window_transform)
        make_loss(settings).check_fits(corpus.size)
        reader = WindowReader(settings, corpus.ids, window_transform)
        with team.scope():
            model = RetrievalModel(
                settings,
                corpus,
                feature_specs(settings.query_features, window_transform),
                feature_specs(settings.candidate_features, candidate_transform),
                vocabulary_size(window_transform, keys.QUERY_ID) if settings.model.embeds_query_ids else 0,
                feature_specs(settings.history_features, window_transform, keys.CONTEXT_FEATURE),
                feature_specs(settings.context_features, window_transform, keys.CONTEXT_FEATURE),
            )
        return cls(settings, corpus, reader, model, candidate_transform, window_transform)


def files_of(patterns: Iterable[str]) -> list[str]:
    """Returns the files of TFX's patterns `<folder>/*`, sorted. The folders are no patterns.

    Args:
      patterns: TFX's patterns; any other path is that of a file.

    Raises:
      DataError: A folder has no files.
    """
    files: list[str] = []
    for pattern in patterns:
        folder, name = os.path.split(pattern)
        files += shards.list_files(folder) if name == "*" else [pattern]
    return sorted(files)


def _files_below(folder: str) -> list[str]:
    return [os.path.join(parent, name) for parent, _, names in tf.io.gfile.walk(folder) for name in names]
