"""Similarity of candidates: the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def unit(embeddings: FloatArray) -> FloatArray:
    """Returns embeddings of length 1; an embedding of zeros stays.

    Args:
      embeddings: [num_rows, embedding_dim].
    """
    return directions(embeddings).astype(np.float32)


def closest(answers: FloatArray, history: FloatArray, is_same: npt.NDArray[np.bool_]) -> list[int | None]:
    """Returns the position in the history of the item with the highest cosine to each answer; None if there is none.

    Args:
      answers: [num_answers, embedding_dim] embeddings.
      history: [num_items, embedding_dim] embeddings; of equal cosines the first item counts. A row of zeros is an
        unknown item.
      is_same: [num_answers, num_items] whether the item is the answer itself, which says nothing.
    """
    if not len(history):
        return [None] * len(answers)
    cosines = directions(answers) @ directions(history).T
    cosines[is_same | ~history.any(axis=1) | np.isnan(cosines)] = -np.inf
    best = cosines.argmax(axis=1)
    return [int(column) if np.isfinite(cosines[row, column]) else None for row, column in enumerate(best)]


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
