"""A trained searcher of ScaNN as part of a saved model."""

from __future__ import annotations

import hashlib

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
        digest = hashlib.sha256()
        for tensor in tensors:
            values = tensor.numpy()
            digest.update(b"".join(values.ravel()) if values.dtype == object else values.tobytes())
        self._shared_name = f"scann-{digest.hexdigest()}"
        # Each variable that a signature reads costs 3 to 5 µs per call from Python. What does not grow with the corpus
        # is a constant: the configuration, the centres of the leaves (their number is the root of the candidates'),
        # the code book, and the tensors that are empty without ScaNN's own rescoring.
        self._tensors = [tensor if _grows(tensor) else tensor.numpy() for tensor in tensors]

    @graph_function(input_signature=[])
    def handle(self) -> tf.Tensor:
        """Returns the searcher's handle, and makes the searcher first if the process has none of this content."""
        return scann_ops.tensors_to_scann(*self._tensors, shared_name=self._shared_name)


def _grows(tensor: tf.Variable) -> bool:
    """Returns whether a searcher's tensor has a row per candidate."""
    return tensor.dtype != tf.string and tensor.shape.rank > 0
