"""Search of the candidates that are nearest to given ones, by the cosine of their embeddings.

The search is exact. An index of dot products finds long embeddings, not near ones.
"""

from __future__ import annotations

import tensorflow as tf

from components.graph import gather_rows
from components.indexer import retrieval
from components.indexer.filtered import one_by_one, search_masked, without_rows
from components.indexer.filters import AttributeFilters


class SimilarSearch(tf.Module):
    """The candidates, and one over the length of each embedding."""

    def __init__(self, candidates: tf.Variable, filters: AttributeFilters) -> None:
        """Takes [corpus_size, embedding_dim] embeddings and filters over them."""
        super().__init__()
        self._candidates = candidates
        self._filters = filters
        lengths = tf.norm(tf.convert_to_tensor(candidates), axis=1)
        # An embedding of zeros has the cosine 0 with all others.
        self._weights = tf.Variable(tf.math.divide_no_nan(1.0, lengths), trainable=False)

    def search(
        self, wanted: tf.Tensor, exclusions: tf.Tensor, inputs: dict[str, tf.Tensor], width: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the candidates that are nearest to the mean direction of each line's candidates, without these.

        Args:
          wanted: [batch, num_wanted] int32 rows, padded with -1.
          exclusions: [batch, num_excluded] int32 rows, padded with -1.
          inputs: The filters' inputs, see `AttributeFilters.specs`.
          width: Width of the answer, an int32 scalar.

        Returns:
          cosines [batch, width] and rows [batch, width], best first, ties in the order of the corpus, padded with the
          lowest finite float and -1.
        """
        candidates, weights = tf.convert_to_tensor(self._candidates), tf.convert_to_tensor(self._weights)

        def search_line(line: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            own = tf.gather(wanted, line)
            known = tf.boolean_mask(own, own != retrieval.NO_ROW)
            directions = gather_rows(candidates, known) * tf.gather(weights, known)[:, tf.newaxis]
            query = tf.math.l2_normalize(tf.reduce_sum(directions, axis=0))
            # A search for nothing that is known has no answer: a score that is no number is dropped.
            query = tf.where(tf.size(known) > 0, query, float("nan"))
            rules = {name: tf.gather(value, line) for name, value in inputs.items()}
            mask = without_rows(self._filters.mask(rules, int(candidates.shape[0])), own)
            return search_masked(query, candidates, without_rows(mask, tf.gather(exclusions, line)), width, weights)

        return one_by_one(search_line, tf.range(tf.shape(wanted)[0]), width)
