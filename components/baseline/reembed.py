"""Embeds today's catalogue with an earlier model, so that two models are ranked in the same corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.evaluator.ranks import candidates_below, evaluation_ranks
from components.graph import graph_function
from components.trainer import portable
from components.trainer.corpus import catalogue_batches
from components.trainer.window_reader import WINDOW_IDS_SPEC, CorpusRows
from shortlist import keys
from shortlist.metrics.names import SIGNATURE


class ReembeddedCatalogue(NamedTuple):
    """A catalogue embedded by an earlier model, sorted by the bytes of the ids."""

    ids: np.ndarray
    """[corpus] bytes objects."""
    embeddings: np.ndarray
    """float32 [corpus, embedding_dim]."""
    counts: np.ndarray
    """int64 [corpus], number of the model's train targets per candidate."""
    known: np.ndarray
    """bool [corpus], whether the candidate is in the model's own catalogue."""


def reembed(towers_dir: str, candidate_files: Sequence[str], model_dir: str) -> ReembeddedCatalogue:
    """Writes a SavedModel whose signature `evaluation` ranks with an earlier model in another catalogue.

    Candidates of the model's own train are embedded by their id and today's features, all others by their features
    alone, with the model's own vocabularies. Histories are embedded in the same way.

    Args:
      towers_dir: The earlier model's `portable.PortableTowers`.
      candidate_files: gz TFRecord files of the flat candidates.
      model_dir: Where the SavedModel goes.

    Returns:
      The embedded catalogue.
    """
    towers = tf.saved_model.load(towers_dir)
    catalogue = embed_catalogue(towers, candidate_files)
    model = _ReembeddedModel(towers, catalogue)
    tf.saved_model.save(model, model_dir, signatures={SIGNATURE: model.evaluation})
    return catalogue


def embed_catalogue(towers: tf.Module, candidate_files: Sequence[str]) -> ReembeddedCatalogue:
    """Returns a catalogue embedded by an earlier model.

    Args:
      towers: The model's `portable.PortableTowers`, loaded.
      candidate_files: gz TFRecord files of the flat candidates.
    """
    embed = towers.signatures[portable.EMBED_CATALOGUE]
    batches = [embed(examples=batch) for batch in catalogue_batches(candidate_files)]
    ids = _column(batches, keys.CANDIDATE_ID)
    order = np.argsort(ids, kind="stable")
    names = (keys.EMBEDDING, portable.COUNT, keys.KNOWN)
    return ReembeddedCatalogue(ids[order], *(_column(batches, name)[order] for name in names))


def _column(batches: Sequence[Mapping[str, tf.Tensor]], name: str) -> np.ndarray:
    return np.concatenate([batch[name].numpy() for batch in batches])


class _ReembeddedModel(tf.Module):
    """The saved module: the earlier model's towers, another catalogue, and the ranking of targets in it."""

    def __init__(self, towers: tf.Module, catalogue: ReembeddedCatalogue) -> None:
        super().__init__()
        self._towers = towers
        self._rows = CorpusRows(catalogue.ids)
        self._embeddings = tf.Variable(catalogue.embeddings, trainable=False, name="candidate_embeddings")
        self._below = tf.Variable(candidates_below(catalogue.counts), trainable=False, name="candidates_below")

    @graph_function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._rows.of_windows(tf.io.parse_example(examples, WINDOW_IDS_SPEC))
        inputs = {
            "examples": examples,
            portable.HISTORY: rows.history.to_tensor(-1),
            portable.CANDIDATES: self._embeddings.read_value(),
        }
        queries = self._towers.signatures[portable.EMBED_WINDOWS](**inputs)[keys.EMBEDDING]
        return evaluation_ranks(queries, self._embeddings, self._below, rows.target, rows.seen)
