"""The two losses: `tfrs.tasks.Retrieval` over a batch, and a subclass of it over the whole catalogue."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from components.trainer.corpus_softmax import NotNegatives, corpus_cross_entropy
from shortlist.config.losses import CorpusLoss, InBatchLoss

# What tfrs.tasks.Retrieval itself puts where a score must not count.
MIN_FLOAT = float(np.finfo(np.float32).min) / 100.0
# TFRS clips sampling probabilities to [1e-6, 1] before it takes their logarithm.
MIN_SAMPLING_PROBABILITY = 1e-6


class CorpusRetrieval(tfrs.tasks.Retrieval):
    """Softmax over the whole catalogue.

    It differs from its base class in what a negative is: every other candidate rather than the batch's, so that
    there is no sampling to correct and no accidental hit to remove; and a query's other targets can be masked
    exactly. The positive of a row is told by `target_rows`, not by the order of the candidates. Temperature and
    the sum over rows are the base class's.
    """

    def call(
        self,
        query_embeddings: tf.Tensor,
        candidate_embeddings: tf.Tensor,
        sample_weight: tf.Tensor | None = None,
        target_rows: tf.Tensor | None = None,
        not_negatives: tf.Tensor | None = None,
        windows: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the weighted sum of the rows' cross-entropies.

        Args:
          query_embeddings: [num_queries, embedding_dim].
          candidate_embeddings: [corpus, embedding_dim], all candidates.
          sample_weight: [num_queries]; one each unless given.
          target_rows: int32 [num_queries], the row of each query's positive in `candidate_embeddings`.
          not_negatives: Optional bool [num_windows, corpus]: candidates that do not count as
            negatives of a window's queries; a query's target counts as positive all the same.
          windows: int32 [num_queries], the row of each query in `not_negatives`.
        """
        if self._temperature is not None:
            query_embeddings /= self._temperature
        weights = tf.ones_like(query_embeddings[:, 0]) if sample_weight is None else sample_weight
        masks = None
        if not_negatives is not None:
            penalties = tf.where(not_negatives, tf.constant(MIN_FLOAT, query_embeddings.dtype), 0.0)
            masks = NotNegatives(penalties, windows)
        return corpus_cross_entropy(query_embeddings, candidate_embeddings, target_rows, weights, masks)


def rows_to_mask(rows: tf.Tensor, corpus_size: int) -> tf.Tensor:
    """Returns bool [batch, corpus_size], true at the columns that `rows` [batch, n], padded with -1, names."""
    present = tf.where(rows >= 0)
    columns = tf.gather_nd(tf.cast(rows, tf.int64), present)
    batch = tf.shape(rows, out_type=tf.int64)[0]
    shape = tf.stack([batch, tf.constant(corpus_size, tf.int64)])
    at = tf.stack([present[:, 0], columns], axis=1)
    return tf.tensor_scatter_nd_update(tf.zeros(shape, tf.bool), at, tf.ones_like(columns, tf.bool))


def make_task(config: InBatchLoss | CorpusLoss) -> tfrs.tasks.Retrieval:
    """Returns the task of a loss section; `in_batch` is `tfrs.tasks.Retrieval` itself."""
    if isinstance(config, CorpusLoss):
        return CorpusRetrieval(temperature=config.temperature)
    return tfrs.tasks.Retrieval(
        temperature=config.temperature,
        num_hard_negatives=config.num_hard_negatives,
        remove_accidental_hits=config.remove_accidental_hits,
    )


def of_other_queries(queries: tf.Tensor, num_uniform: int) -> tf.Tensor:
    """Returns bool [P, P + N], what counts of P rows' own targets and N uniform negatives: `score_mask` of TFRS.

    A query's other targets of the batch are no negatives of it. They stay candidates of all other queries, so that
    what a batch holds is what `sampling_probability` says.

    Args:
      queries: [P], whose target each row is.
      num_uniform: N.
    """
    number = tf.size(queries)
    counts = (queries[:, tf.newaxis] != queries[tf.newaxis, :]) | tf.eye(number, dtype=tf.bool)
    return tf.concat([counts, tf.ones([number, num_uniform], tf.bool)], axis=1)


def count_clipped(frequencies: np.ndarray, num_in_batch: int, num_uniform: int) -> int:
    """Returns how many candidates can be drawn, but more seldom than TFRS' logQ correction can say.

    Args:
      frequencies: [corpus] floats, each candidate's share of the train targets.
      num_in_batch: P, see `sampling_probability`.
      num_uniform: N.
    """
    probability = (num_in_batch * frequencies + num_uniform / len(frequencies)) / (num_in_batch + num_uniform)
    return int(np.count_nonzero((probability > 0.0) & (probability < MIN_SAMPLING_PROBABILITY)))


def sampling_probability(
    rows: tf.Tensor, frequencies: tf.Tensor, num_in_batch: tf.Tensor, num_uniform: int
) -> tf.Tensor:
    """Returns [n], how likely one draw of a batch's candidates is to be each of `rows`.

    P in-batch targets are drawn by target frequency q, N more uniformly from C candidates; a candidate
    among all P + N is then c with probability (P q(c) + N / C) / (P + N).

    Args:
      rows: [n] rows of the corpus.
      frequencies: [corpus] floats, each candidate's share of the train targets.
      num_in_batch: P.
      num_uniform: N.
    """
    in_batch = tf.cast(num_in_batch, tf.float32)
    uniform = tf.constant(num_uniform, tf.float32)
    corpus = tf.cast(tf.shape(frequencies)[0], tf.float32)
    return (in_batch * tf.gather(frequencies, rows) + uniform / corpus) / (in_batch + uniform)
