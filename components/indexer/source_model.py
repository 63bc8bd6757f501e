"""The model to index, as a Trainer, Refit or Refresh wrote it, with its exact answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.indexer import export, queries
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.recall import ExactAnswers
from components.indexer.scann_index import ScannIndex
from shortlist.config.serving import Index


class RejectedIndexError(Exception):
    """No index can be built or measured; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class SourceModel:
    """A model without an index, its candidate embeddings, and the row of each candidate id."""

    model: Any
    directory: str
    embeddings: np.ndarray
    rows: dict[bytes, int]
    exclude_seen: bool
    filters: AttributeFilters = dataclasses.field(default_factory=AttributeFilters)

    @classmethod
    def load(cls, directory: str, exclude_seen: bool) -> SourceModel:
        """Returns a model without filters.

        Args:
          directory: The SavedModel.
          exclude_seen: Whether answers exclude seen items.
        """
        model = tf.saved_model.load(directory)
        rows = {candidate: row for row, candidate in enumerate(model.candidate_ids.numpy())}
        return cls(model, directory, model.candidate_embeddings.numpy(), rows, exclude_seen)

    def served(self, index: ExactIndex | ScannIndex, settings: Index) -> export.ServedModel:
        """Returns the model with an index and the filters."""
        return export.ServedModel(self.model, index, settings.k, settings.pool, self.filters)

    def answers(self, windows: Sequence[bytes], k: int) -> ExactAnswers:
        """Returns the exact answers to windows, without seen candidates if `exclude_seen` is set.

        Raises:
          RejectedIndexError: A query's embedding is not finite. ScaNN refuses such a query; exact search returns a
            random order.
        """
        parsed = [queries.parse_window(window) for window in windows]
        embeddings = queries.embed(self.model.signatures["query_embedding"], parsed)
        broken = int((~np.isfinite(embeddings).all(axis=1)).sum())
        if broken:
            raise RejectedIndexError(f"{broken} of {len(parsed)} sampled queries have an embedding that is not finite")
        excluded = [self.rows_of(self.excluded_ids(row)) for row in parsed]
        return ExactAnswers.find(embeddings, self.embeddings, excluded, k)

    def excluded_ids(self, row: dict[str, Any]) -> list[bytes]:
        """Returns the ids that a window's query must not be answered with."""
        return queries.seen_ids(row) if self.exclude_seen else []

    def rows_of(self, ids: Sequence[bytes]) -> np.ndarray:
        """Returns the rows of those ids that are in the corpus."""
        return np.array([self.rows[item] for item in ids if item in self.rows], np.int32)
