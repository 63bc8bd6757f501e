"""A trained model in another catalogue: the earlier model's towers, and embeddings of today's candidates."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from components.baseline import reembed
from components.graph import gather_rows, graph_function, one_row_per_query
from components.trainer import portable
from components.trainer.window_reader import CorpusRows
from shortlist import keys
from shortlist.model_files import TRAINED_FILE


@dataclasses.dataclass(frozen=True)
class TodaysCatalogue:
    """A catalogue embedded by an earlier model."""

    towers: Any
    """The earlier model's `portable.PortableTowers`, loaded."""
    embedded: reembed.ReembeddedCatalogue

    def counts(self, earlier_size: int) -> dict[str, int]:
        """Returns the numbers of `candidates`, and of those that are `known`, `new` and `removed`.

        Args:
          earlier_size: Number of candidates in the model's own catalogue.
        """
        known = int(self.embedded.known.sum())
        size = len(self.embedded.ids)
        return {"candidates": size, "known": known, "new": size - known, "removed": earlier_size - known}


def can_refresh(towers_dir: str) -> bool:
    """Returns whether saved towers can embed requests with histories in another catalogue."""
    if not tf.io.gfile.exists(os.path.join(towers_dir, "saved_model.pb")):
        return False
    return portable.EMBED_QUERIES in tf.saved_model.load(towers_dir).signatures


def embed(towers_dir: str, candidate_files: Sequence[str]) -> TodaysCatalogue:
    """Embeds a catalogue with an earlier model's towers.

    Args:
      towers_dir: Folder of the towers.
      candidate_files: gz TFRecord files of the flat candidates.
    """
    towers = tf.saved_model.load(towers_dir)
    return TodaysCatalogue(towers, reembed.embed_catalogue(towers, candidate_files))


def write(catalogue: TodaysCatalogue, model_dir: str, metadata: Mapping[str, Any]) -> None:
    """Writes the model of a catalogue as a SavedModel that the Indexer can read.

    Args:
      catalogue: The embedded catalogue.
      model_dir: The SavedModel's folder.
      metadata: The earlier model's shortlist.json; all but its catalogue also describes this model.
    """
    model = RefreshedModel(catalogue)
    tf.saved_model.save(model, model_dir, signatures=model.signatures())
    # The fingerprint is that of the Trainer's catalogue. The Baseline node, which reads it, gets no refreshed model.
    described = {name: value for name, value in metadata.items() if name != "catalogue_sha256"}
    described["corpus_size"] = len(catalogue.embedded.ids)
    path = os.path.join(model_dir, TRAINED_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(described, indent=2, sort_keys=True))


class RefreshedModel(tf.Module):
    """The saved module. It has the attributes and signatures of `export.ServingModule` that the Indexer reads."""

    def __init__(self, catalogue: TodaysCatalogue) -> None:
        """Takes the towers and the embeddings."""
        super().__init__()
        embedded = catalogue.embedded
        self._towers = catalogue.towers
        self._rows = CorpusRows(embedded.ids)
        self.candidate_ids = tf.Variable(tf.constant(embedded.ids, tf.string), trainable=False, name="candidate_ids")
        self.candidate_embeddings = tf.Variable(embedded.embeddings, trainable=False, name="candidate_embeddings")
        self.candidate_counts = tf.Variable(embedded.counts, trainable=False, name="candidate_counts")

    def signatures(self) -> dict[str, Any]:
        """Returns `query_embedding`, `candidate_embedding` and `embed_candidates`, see `export.ServingModule`."""
        specs = dict(self._towers.signatures[portable.EMBED_QUERIES].structured_input_signature[1])
        specs.pop(keys.EMBEDDING)
        specs[keys.HISTORY_IDS] = tf.TensorSpec([None, None], tf.string, name=keys.HISTORY_IDS)
        specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}
        ids = [tf.TensorSpec([None], tf.string, name=keys.CANDIDATE_ID)]
        return {
            "query_embedding": graph_function(self._query_embedding, input_signature=[specs]),
            "candidate_embedding": graph_function(self._candidate_embedding, input_signature=ids),
            "embed_candidates": self._towers.signatures[portable.EMBED_CANDIDATES],
        }

    def _query_embedding(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs = one_row_per_query(inputs)
        inputs[keys.HISTORY_IDS] = self._rows.lookup(inputs[keys.HISTORY_IDS])
        inputs[keys.EMBEDDING] = self.candidate_embeddings.read_value()
        embeddings: dict[str, tf.Tensor] = self._towers.signatures[portable.EMBED_QUERIES](**inputs)
        return embeddings

    def _candidate_embedding(self, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = self._rows.lookup(candidate_id)
        known = tf.cast(rows >= 0, tf.float32)[:, tf.newaxis]
        return {keys.EMBEDDING: gather_rows(self.candidate_embeddings, tf.maximum(rows, 0)) * known}
