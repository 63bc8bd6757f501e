"""The candidates of a version in memory: ids, titles, vectors and popularity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from server.candidate_search import CandidateSearch
from shortlist.serving import similarity
from shortlist.serving.catalogue import Catalogue


@dataclasses.dataclass(frozen=True)
class Item:
    """One candidate of an answer."""

    id: str
    title: str | None
    score: float | None
    near: str | None = None
    promoted: bool = False
    boost: float = 1.0


class Corpus:
    """The candidates; a row is a candidate's position in the model."""

    def __init__(self, trained: Any, catalogue: Catalogue | None) -> None:
        """Reads the candidates of a loaded model.

        Args:
          trained: The Trainer's part of the model.
          catalogue: The version's catalogue; None for a version without one.

        Raises:
          AttributeError: It is no model of Shortlist.
        """
        self.ids: list[str] = [item.decode("utf-8", "replace") for item in trained.candidate_ids.numpy()]
        self.rows = {item: row for row, item in enumerate(self.ids)}
        self.embeddings = np.asarray(trained.candidate_embeddings.numpy(), np.float32)
        # In float64, since float32 cannot square numbers below 1e-19; a copy of the matrix would take 20 times as long.
        lengths = np.sqrt(np.einsum("ij,ij->i", self.embeddings, self.embeddings, dtype=np.float64))
        self._lengths = np.where(lengths > 0.0, lengths, 1.0).astype(np.float32)
        # A model that an older version trained has no counts.
        counts = trained.candidate_counts.numpy() if hasattr(trained, "candidate_counts") else np.zeros(0)
        # Most frequent first, ties in the order of the catalogue.
        self.popular_rows = np.argsort(-counts, kind="stable") if len(counts) == len(self.ids) else None
        titles = None if catalogue is None or not catalogue.has_titles else catalogue.titles.to_pylist()
        self.titles: list[str | None] | None = titles if titles and len(titles) == len(self.ids) else None
        self.search = CandidateSearch(self.ids, self.titles)

    def title(self, row: int) -> str | None:
        """Returns the title of a row; None if it has none."""
        return None if self.titles is None else self.titles[row]

    def titled(self, candidate_id: str) -> dict[str, str | None]:
        """Returns id and title of a candidate; the title is None if the model does not know it."""
        row = self.rows.get(candidate_id)
        return {"id": candidate_id, "title": None if row is None else self.title(row)}

    def _unit(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        positions = np.asarray(rows, np.int64)
        return np.asarray(self.embeddings[positions] / self._lengths[positions, np.newaxis])

    def near(self, rows: Sequence[int], history: Sequence[int]) -> list[str | None]:
        """Returns, per row, the id of the history's nearest candidate, see `similarity.nearest_of_history`.

        Args:
          rows: Rows of an answer.
          history: Rows of the history, oldest first.
        """
        near = similarity.nearest_of_history(rows, history, lambda wanted: self.embeddings[np.asarray(wanted)])
        return [None if row is None else self.ids[row] for row in near]

    def similar(self, rows: Sequence[int], passed: npt.NDArray[np.bool_] | None, k: int) -> list[Item]:
        """Returns the candidates nearest to the mean direction of some, best first, without these.

        Args:
          rows: Rows, one or more.
          passed: [corpus_size] candidates that may be returned; None for all.
          k: Number of candidates; fewer are returned if there are no more.
        """
        mean = similarity.unit(self._unit(rows).mean(axis=0, keepdims=True))[0]
        cosines = (self.embeddings @ mean) / self._lengths
        if passed is not None:
            cosines[~passed] = -np.inf
        cosines[np.asarray(rows)] = -np.inf
        return [Item(self.ids[row], self.title(row), float(cosines[row])) for row in similarity.top_rows(cosines, k)]

    def popular(self, passed: npt.NDArray[np.bool_] | None, k: int) -> list[Item]:
        """Returns the most popular candidates; none for a model without counts.

        Args:
          passed: [corpus_size] candidates that may be returned; None for all.
          k: Number of candidates.
        """
        items: list[Item] = []
        for row in () if self.popular_rows is None else self.popular_rows.tolist():
            if passed is None or passed[row]:
                items.append(Item(self.ids[row], self.title(row), None))
                if len(items) == k:
                    break
        return items
