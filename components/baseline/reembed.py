"""Puts today's catalogue before an earlier model, so that two models are ranked in one and the same corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.evaluator.ranks import evaluation_ranks
from components.graph import graph_function
from components.trainer import portable
from components.trainer.corpus import catalogue_batches
from components.trainer.dataset import WINDOW_IDS_SPEC, CorpusRows
from shortlist import keys
from shortlist.metrics.names import SIGNATURE


class ReembeddedCatalogue(NamedTuple):
    """A catalogue as an earlier model sees it, sorted by the bytes of the ids."""

    ids: np.ndarray
    """[corpus] bytes objects."""
    embeddings: np.ndarray
    """float32 [corpus, embedding_dim]."""
    counts: np.ndarray
    """int64 [corpus], how often each was one of the model's train targets."""
    known: np.ndarray
    """bool [corpus], whether the model's own catalogue had it."""


def reembed(towers_dir: str, candidate_files: Sequence[str], model_dir: str) -> ReembeddedCatalogue:
    """Writes a SavedModel with the signature `evaluation` of an earlier model over another catalogue.

    Candidates that the model knows keep their embedding; of all others it says what its candidate tower makes of their
    features, by its own vocabularies. Histories are embedded alike.

    Args:
      towers_dir: The earlier model's `portable.PortableTowers`.
      candidate_files: gz TFRecord files of the flat candidates.
      model_dir: Where the SavedModel goes.

    Returns:
      What the model makes of the catalogue.
    """
    towers = tf.saved_model.load(towers_dir)
    catalogue = _embed(towers, candidate_files)
    rebased = _Rebased(towers, catalogue)
    tf.saved_model.save(rebased, model_dir, signatures={SIGNATURE: rebased.evaluation})
    return catalogue


def _embed(towers: tf.Module, candidate_files: Sequence[str]) -> ReembeddedCatalogue:
    embed = towers.signatures[portable.EMBED_CATALOGUE]
    batches = [embed(examples=batch) for batch in catalogue_batches(candidate_files)]
    ids = _column(batches, keys.CANDIDATE_ID)
    order = np.argsort(ids, kind="stable")
    names = (keys.EMBEDDING, portable.COUNT, portable.KNOWN)
    return ReembeddedCatalogue(ids[order], *(_column(batches, name)[order] for name in names))


def _column(batches: Sequence[Mapping[str, tf.Tensor]], name: str) -> np.ndarray:
    return np.concatenate([batch[name].numpy() for batch in batches])


class _Rebased(tf.Module):
    """What is saved: the earlier towers, another catalogue, and how targets are ranked in it."""

    def __init__(self, towers: tf.Module, catalogue: ReembeddedCatalogue) -> None:
        super().__init__()
        self._towers = towers
        self._rows = CorpusRows(catalogue.ids)
        self._embeddings = tf.Variable(catalogue.embeddings, trainable=False, name="candidate_embeddings")
        self._counts = tf.Variable(catalogue.counts, trainable=False, name="candidate_counts")

    @graph_function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._rows.of_windows(tf.io.parse_example(examples, WINDOW_IDS_SPEC))
        inputs = {
            "examples": examples,
            portable.HISTORY: rows.history.to_tensor(-1),
            portable.CANDIDATES: self._embeddings.read_value(),
        }
        queries = self._towers.signatures[portable.EMBED_WINDOWS](**inputs)[keys.EMBEDDING]
        return evaluation_ranks(queries, self._embeddings, self._counts, rows.target, rows.seen)
