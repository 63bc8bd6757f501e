"""How varied the answers are: a model may rank well and still show everyone the same."""

from __future__ import annotations

import numpy as np

from components.indexer.retrieval import NO_ROW


def coverage(answers: np.ndarray, corpus_size: int) -> float:
    """Returns the share of the candidates that could be in some answer and are.

    That is distinct candidates / min(corpus, places in all answers): few queries cannot name a large corpus.

    Args:
      answers: [num_queries, width] rows of the corpus, -1 past an answer's end.
      corpus_size: Candidates in the corpus.
    """
    found = answers[answers != NO_ROW]
    return len(np.unique(found)) / max(min(corpus_size, found.size), 1)


def overlap(answers: np.ndarray) -> float:
    """Returns what the answers to two different queries share on average, from 0 to 1; 0 for a single query.

    The mean over all pairs of |both| / width, counted by candidate: one that is in c answers is shared by c (c - 1) / 2
    pairs.

    Args:
      answers: [num_queries, width] rows of the corpus, each at most once a line, -1 past an answer's end.
    """
    queries, width = answers.shape
    if queries < 2 or not width:
        return 0.0
    _, counts = np.unique(answers[answers != NO_ROW], return_counts=True)
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1)).sum() / (queries * (queries - 1) * width))
