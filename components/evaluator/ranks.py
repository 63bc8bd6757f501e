"""The rank of a held-out target in the whole corpus, from which all metrics and gates are computed.

A target's rank is 1 + the candidates with a greater score + the other candidates
with an equal score, so that ties count against the target. Scores that are not
finite count against the target too. A target has rank `NO_HIT`, a hit at no K, if its own score is
not finite, or if it is not in the corpus. Another candidate's non-finite score
counts as greater.

There are two ranks. With seen items, all candidates compete. Without seen items, the
query's seen items are subtracted, as they are from what is served. A target that the
query had seen has no such rank (`NOT_RANKED`), and plain metrics leave its row out.
Such a target would have no competitors: on a log of views, carts and purchases, a
tenth of the rows scored 0.95 and the others 0.007 (docs/decisions/0002).

A score is the dot product in float64, rounded once to float32. In a float32 matmul,
the same pair of vectors can have different last bits in different columns (measured
in 156 of 576 shapes). Copies of one candidate would then not tie, and a constant
model could reach rank 1. Products of float32 values are exact in float64, and the
error of their sum is about 2^-29 of a float32 step. Scores therefore do not depend on
a candidate's position. `screening` computes few of them: where a float32 product is
far enough from the target's score, it decides.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.evaluator import screening
from components.evaluator.rank_metrics import NO_HIT, NOT_RANKED
from components.evaluator.screening import Scored
from components.graph import gather_rows
from shortlist import keys

TILE = 2048
"""Candidates per tile; counting needs up to 17 bytes x batch x tile of memory."""


def evaluation_ranks(
    query_embeddings: tf.Tensor,
    candidate_embeddings: tf.Tensor,
    below: tf.Tensor,
    target_rows: tf.Tensor,
    seen_rows: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Returns the outputs of the signature `evaluation`: each target's four ranks by name, int64 [batch] each.

    Args:
      query_embeddings: [batch, embedding_dim] floats.
      candidate_embeddings: [corpus, embedding_dim] floats.
      below: [corpus] integers, see `candidates_below`.
      target_rows: [batch] integers, the target's row in the corpus; -1 if it is not in the corpus.
      seen_rows: [batch, seen] integers, distinct rows of the corpus, padded with -1.
    """
    rank, rank_with_seen = target_ranks(query_embeddings, candidate_embeddings, target_rows, seen_rows)
    popularity, popularity_with_seen = popularity_ranks(below, target_rows, seen_rows)
    return {
        keys.RANK: rank,
        keys.RANK_WITH_SEEN: rank_with_seen,
        keys.POPULARITY_RANK: popularity,
        keys.POPULARITY_RANK_WITH_SEEN: popularity_with_seen,
    }


def target_ranks(
    query_embeddings: tf.Tensor,
    candidate_embeddings: tf.Tensor,
    target_rows: tf.Tensor,
    seen_rows: tf.Tensor,
    tile: int = TILE,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the ranks of each query's target by dot product, without and with its seen items.

    Args:
      query_embeddings: [batch, embedding_dim] floats.
      candidate_embeddings: [corpus, embedding_dim] floats.
      target_rows: [batch] integers, the target's row in the corpus; -1 if it is not in the corpus.
      seen_rows: [batch, seen] integers, distinct rows of the corpus, padded with -1. The
        target may be among them.
      tile: Candidates that are scored at once, so that no [batch, corpus] matrix exists.

    Returns:
      (rank_excluding_seen, rank_with_seen), int64 [batch] each: from 1 to corpus, or `NO_HIT`; the first is
      `NOT_RANKED` where the target is among the seen ones.
    """
    corpus_embeddings = tf.convert_to_tensor(candidate_embeddings)
    corpus = tf.shape(corpus_embeddings, out_type=tf.int64)[0]
    queries = tf.cast(query_embeddings, tf.float64)
    targets = tf.cast(target_rows, tf.int64)
    seen = tf.cast(seen_rows, tf.int64)
    own = screening.exact_scores(queries, tf.gather(corpus_embeddings, tf.maximum(targets, 0)))
    scored = Scored(queries, own)

    _, worse = tf.while_loop(
        lambda start, _: start < corpus,
        lambda start, worse: (
            start + tile,
            worse + screening.count_worse(scored, corpus_embeddings[start : start + tile]),
        ),
        (tf.constant(0, tf.int64), tf.zeros_like(targets)),
        # With the default of 10, ten tiles of scores may be in memory at once.
        parallel_iterations=1,
    )
    present = tf.where(seen >= 0)
    of_pairs = screening.worse_pairs(scored, corpus_embeddings, present[:, 0], tf.gather_nd(seen, present))
    seen_worse = tf.tensor_scatter_nd_update(tf.zeros_like(seen, tf.bool), present, of_pairs)
    return _ranks(corpus, targets, seen, worse, seen_worse, tf.math.is_finite(own))


def candidates_below(counts: np.ndarray) -> np.ndarray:
    """Returns int64 [corpus], the number of candidates with fewer train targets than each.

    Args:
      counts: int64 [corpus], the number of times that each candidate is a train target.
    """
    # Once per model: to sort 200,000 counts takes as long as to rank 50 rows.
    return np.searchsorted(np.sort(counts), counts, side="left").astype(np.int64)


def popularity_ranks(below: tf.Tensor, target_rows: tf.Tensor, seen_rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns each target's ranks by popularity: every query scores a candidate by its number of train targets.

    Args:
      below: [corpus] integers, see `candidates_below`.
      target_rows: [batch] integers, the target's row in the corpus; -1 if it is not in the corpus.
      seen_rows: [batch, seen] integers, distinct rows of the corpus, padded with -1.

    Returns:
      (rank_excluding_seen, rank_with_seen), int64 [batch] each: from 1 to corpus, or `NO_HIT`; the first is
      `NOT_RANKED` where the target is among the seen ones.
    """
    numbers = tf.cast(below, tf.int64)
    targets = tf.cast(target_rows, tf.int64)
    seen = tf.cast(seen_rows, tf.int64)
    worse = gather_rows(numbers, tf.maximum(targets, 0))
    seen_worse = gather_rows(numbers, tf.maximum(seen, 0)) < worse[:, tf.newaxis]
    return _ranks(tf.size(numbers, tf.int64), targets, seen, worse, seen_worse, tf.ones_like(targets, tf.bool))


def _ranks(
    corpus: tf.Tensor,
    targets: tf.Tensor,
    seen: tf.Tensor,
    worse: tf.Tensor,
    seen_worse: tf.Tensor,
    finite: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the ranks, from the number of worse candidates [batch] and a mask of worse seen items [batch, seen]."""
    with_seen = corpus - worse
    against = (seen >= 0) & (seen != targets[:, tf.newaxis]) & ~seen_worse
    excluding_seen = with_seen - tf.reduce_sum(tf.cast(against, tf.int64), axis=1)
    rankable = (targets >= 0) & finite
    no_hit, not_ranked = tf.constant(NO_HIT, tf.int64), tf.constant(NOT_RANKED, tf.int64)
    is_seen = tf.reduce_any((seen >= 0) & (seen == targets[:, tf.newaxis]), axis=1)
    excluding_seen = tf.where(is_seen, not_ranked, tf.where(rankable, excluding_seen, no_hit))
    return excluding_seen, tf.where(rankable, with_seen, no_hit)
