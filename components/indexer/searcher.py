"""A trained searcher of ScaNN as part of a saved model."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf
from scann import scann_ops

from components.graph import graph_function


class Searcher(tf.Module):
    """A trained searcher's tensors, and the searcher that ScaNN makes of them.

    The searcher is a resource of the process, whose name must be that of its content. By default ScaNN names it after
    the operation: two searchers of one loaded model then were one, with wrong answers (measured recall 0.65 to 0.75).
    All signatures of a model share it, too.
    """

    def __init__(self, state: tf.Module) -> None:
        super().__init__()
        # In the order of `tensors_to_scann`.
        tensors = [
            state.dataset,
            state.scann_config,
            state.serialized_partitioner,
            state.datapoint_to_token,
            state.ah_codebook,
            state.hashed_dataset,
            state.int8_dataset,
            state.int8_multipliers,
            state.dp_norms,
        ]
        # Each variable that a signature reads costs 3 to 5 µs per call from Python. What does not grow with the corpus
        # is a constant: the configuration, the centres of the leaves (their number is the root of the candidates') and
        # the code book. Without ScaNN's own rescoring the other tensors are scalars that stand for nothing, whose
        # values are not initialized.
        self._tensors = [tensor if _grows(tensor) else _constant(tensor) for tensor in tensors]
        digest = hashlib.sha256()
        for tensor in self._tensors:
            values = np.asarray(tensor)
            digest.update(b"".join(values.ravel()) if values.dtype == object else values.tobytes())
        self.shared_name = f"scann-{digest.hexdigest()}"

    @classmethod
    def train(
        cls, candidates: tf.Tensor, k: int, num_leaves: int, leaves_to_search: int, dimensions_per_block: int
    ) -> Searcher:
        """Returns a searcher of candidates; the same candidates give the same searcher.

        ScaNN's clustering has a fixed seed. It differs from build to build for two reasons, which this one lacks. By
        default the first centres of the leaves are read from a hash set, whose order is random in Abseil; k-means++
        chooses them in order. And threads share out the candidates that the clustering did not sample, so that some 20
        in a million, which lie between two leaves, were rounded to one or the other.

        Args:
          candidates: [num_candidates, embedding_dim], all finite.
          k: Default number of results of a search.
          num_leaves: Clusters of the candidates.
          leaves_to_search: Default number of clusters that a search scores.
          dimensions_per_block: Dimensions that share one code.
        """
        builder = scann_ops.builder(db=candidates, num_neighbors=k, distance_measure="dot_product")
        builder = builder.tree(num_leaves, leaves_to_search, random_init=False).score_ah(dimensions_per_block)
        trained = builder.set_n_training_threads(1).build()
        searcher = cls(trained.serialize_to_module())
        # The tensors are all that is needed; the process would keep the searcher for good.
        tf.raw_ops.DestroyResourceOp(resource=trained.searcher_handle)
        return searcher

    @graph_function(input_signature=[])
    def handle(self) -> tf.Tensor:
        """Returns the searcher's handle, and makes the searcher first if the process has none of this content."""
        return scann_ops.tensors_to_scann(*self._tensors, shared_name=self.shared_name)


def _grows(tensor: tf.Variable) -> bool:
    """Returns whether a searcher's tensor has a row per candidate."""
    return tensor.dtype != tf.string and tensor.shape.rank > 0


def _constant(tensor: tf.Variable) -> np.ndarray:
    values: np.ndarray = np.asarray(tensor.numpy())
    return values if values.ndim else np.zeros_like(values)
