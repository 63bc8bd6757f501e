"""Similarity of candidates: the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shortlist.serving.client import FloatArray


def unit(embeddings: FloatArray) -> FloatArray:
    """Returns embeddings of length 1; an embedding of zeros stays.

    Args:
      embeddings: [num_rows, embedding_dim].
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.where(lengths > 0.0, lengths, 1.0), np.float32)


def closest(answers: FloatArray, history: FloatArray, is_same: npt.NDArray[np.bool_]) -> list[int | None]:
    """Returns the position in the history of the item that each answer is closest to; None if there is none.

    Args:
      answers: [num_answers, embedding_dim] embeddings.
      history: [num_items, embedding_dim] embeddings. A row of zeros is an unknown item.
      is_same: [num_answers, num_items] whether the item is the answer itself, which says nothing.
    """
    cosines = unit(answers) @ unit(history).T
    cosines[is_same | ~history.any(axis=1)] = -np.inf
    if not cosines.size:
        return [None] * len(answers)
    best = cosines.argmax(axis=1)
    # Of equal items, the first; a history with duplicates names one of them.
    return [int(column) if np.isfinite(cosines[row, column]) else None for row, column in enumerate(best)]


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
    k = min(k, int(np.isfinite(cosines).sum()))
    if not k:
        return np.array([], np.int64), np.array([], np.float32)
    # By cosine, then by row, so that ties have one order.
    rows = np.flatnonzero(cosines >= -np.partition(-cosines, k - 1)[k - 1])
    rows = rows[np.lexsort((rows, -cosines[rows]))][:k]
    return rows, cosines[rows]
