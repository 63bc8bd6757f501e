"""Similarity of candidates: the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)

# Products of equal embeddings differ by rounding, depending on their places in a matrix.
_ROUNDING = 1e-9


def unit(embeddings: FloatArray) -> FloatArray:
    """Returns embeddings of length 1; an embedding of zeros stays.

    Args:
      embeddings: [num_rows, embedding_dim].
    """
    return directions(embeddings).astype(np.float32)


def nearest_of_history(
    answers: Sequence[Key], history: Sequence[Key], embed: Callable[[Sequence[Key]], FloatArray]
) -> list[Key | None]:
    """Returns, per answer, the history's item with the highest cosine; of equal ones the newest.

    Args:
      answers: Candidates of an answer, by id or row.
      history: Candidates of the history, oldest first.
      embed: Returns embeddings of candidates, [num_candidates, embedding_dim]. Zeros are an unknown candidate.

    Returns:
      None for an answer without another item in the history.
    """
    items = list(dict.fromkeys(reversed(history)))
    if not items or not len(answers):
        return [None] * len(answers)
    vectors = directions(embed([*answers, *items]))
    known = vectors.any(axis=1)
    cosines = vectors[: len(answers)] @ vectors[len(answers) :].T
    # An answer says nothing about itself.
    is_same = np.asarray(answers)[:, np.newaxis] == np.asarray(items)
    is_known = known[: len(answers), np.newaxis] & known[len(answers) :]
    cosines[is_same | ~is_known | np.isnan(cosines)] = -np.inf
    best = cosines.max(axis=1, keepdims=True)
    # The newest is the first; argmax takes the first of those that are equal.
    columns = (cosines >= best - _ROUNDING).argmax(axis=1)
    return [items[column] if np.isfinite(best[row, 0]) else None for row, column in enumerate(columns)]


def directions(embeddings: FloatArray) -> npt.NDArray[np.float64]:
    """Returns float64 embeddings of length 1; an embedding of zeros stays.

    Args:
      embeddings: [num_rows, embedding_dim].
    """
    # float32 cannot square numbers below 1e-19.
    wide = embeddings.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.maximum(lengths, np.finfo(np.float64).tiny))


def nearest(corpus: FloatArray, wanted: Sequence[int], k: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Returns the k rows of a corpus that are nearest to the mean of some of its rows, best first, without these.

    Args:
      corpus: [corpus_size, embedding_dim] embeddings of length 1.
      wanted: Rows of the corpus, one or more.
      k: Number of rows; fewer are returned if the corpus has no more.

    Returns:
      rows [k] and cosines float32 [k].
    """
    excluded = np.asarray(wanted)
    mean = unit(corpus[excluded].mean(axis=0, keepdims=True))[0]
    cosines = corpus @ mean
    cosines[excluded] = -np.inf
    rows = top_rows(cosines, k)
    return rows, cosines[rows]


def top_rows(scores: FloatArray, k: int) -> npt.NDArray[np.int64]:
    """Returns the rows of the k greatest finite scores, best first, ties by row; fewer if there are fewer.

    Args:
      scores: [num_rows].
      k: Number of rows.
    """
    finite = np.where(np.isfinite(scores), scores, -np.inf)
    k = min(k, int(np.isfinite(scores).sum()))
    if not k:
        return np.array([], np.int64)
    rows = np.flatnonzero(finite >= -np.partition(-finite, k - 1)[k - 1])
    return np.asarray(rows[np.lexsort((rows, -finite[rows]))][:k], np.int64)
