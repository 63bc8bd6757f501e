"""Variety of answers: a model may rank well and still recommend the same items to every query."""

from __future__ import annotations

import numpy as np

from components.indexer.retrieval import NO_ROW


def coverage(answers: np.ndarray, corpus_size: int) -> float:
    """Returns the share of possible candidates that occur in some answer.

    It is the number of distinct candidates / min(corpus size, length of all answers together), because a few queries
    cannot cover a large corpus.

    Args:
      answers: [num_queries, width] rows of the corpus, padded with -1.
      corpus_size: Candidates in the corpus.
    """
    found = answers[answers != NO_ROW]
    return len(np.unique(found)) / max(min(corpus_size, found.size), 1)


def overlap(answers: np.ndarray) -> float:
    """Returns the average overlap of two queries' answers, from 0 to 1; 0 for a single query.

    It is the mean of |intersection| / width over all pairs of queries. It is counted by candidate: a candidate in c
    answers is shared by c (c - 1) / 2 pairs.

    Args:
      answers: [num_queries, width] rows of the corpus, each at most once a line, padded with -1.
    """
    queries, width = answers.shape
    if queries < 2 or not width:
        return 0.0
    _, counts = np.unique(answers[answers != NO_ROW], return_counts=True)
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1)).sum() / (queries * (queries - 1) * width))
