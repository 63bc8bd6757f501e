"""Signatures of a loaded model, called without TensorFlow's own Python for each call.

TensorFlow binds, converts and nests the inputs of a call anew each time: some 100 of the 120 µs that a signature takes
which computes nothing. A server holds Python's lock meanwhile. The inputs of a signature are flat and known, so here
a call passes tensors to the runtime as they are. Whatever does not fit is passed on to TensorFlow, which raises its own
errors, and so is a call within a graph.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any


class Signature:
    """A signature of a loaded SavedModel with tensors as inputs and outputs."""

    def __init__(self, function: Any) -> None:
        """Takes the concrete function."""
        import tensorflow as tf
        from tensorflow.python.eager import context

        self._function = function
        self.structured_input_signature = function.structured_input_signature
        """A pair: no positional inputs, and the specs by name."""
        self.structured_outputs = function.structured_outputs
        """The specs of the outputs by name."""
        # TensorFlow orders a dictionary's tensors by its keys.
        specs = sorted(self.structured_input_signature[1].items())
        self._names = [name for name, _ in specs]
        self._dtypes = [spec.dtype.as_datatype_enum for _, spec in specs]
        self._outputs = sorted(self.structured_outputs)
        self._captured = list(function.captured_inputs)
        self._context = context.context()
        self._name = function._inference_function.name
        self._eager: Any = tf.__internal__.EagerTensor

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """Returns the outputs by name.

        Args:
          inputs: A tensor per input.

        Raises:
          TypeError: An input is missing or unknown, or cannot have the signature's type.
          tf.errors.InvalidArgumentError: The graph refuses the values or shapes.
        """
        tensors = [inputs.get(name) for name in self._names]
        if len(inputs) != len(tensors) or not self._fits(tensors):
            found: dict[str, Any] = self._function(**inputs)
            return found
        outputs = self._context.call_function(self._name, tensors + self._captured, len(self._outputs))
        return dict(zip(self._outputs, outputs, strict=True))

    def _fits(self, tensors: list[Any]) -> bool:
        if not self._context.executing_eagerly():
            return False
        return all(
            isinstance(tensor, self._eager) and tensor._datatype_enum() == dtype
            for tensor, dtype in zip(tensors, self._dtypes, strict=True)
        )


def quick_signatures(signatures: Mapping[str, Any]) -> Mapping[str, Signature]:
    """Returns the signatures of a loaded SavedModel by name, for calls with tensors."""
    return types.MappingProxyType({name: Signature(function) for name, function in signatures.items()})
