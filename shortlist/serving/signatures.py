"""Signatures of a loaded model, called without TensorFlow's own Python for each call.

TensorFlow binds, converts and nests the inputs of a call anew each time: some 100 of the 120 µs that a signature takes
which computes nothing. A server holds Python's lock meanwhile. The inputs of a signature are flat and known, so here
a call passes tensors to the runtime as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Signature:
    """A function of TensorFlow's runtime with tensors as inputs and outputs."""

    def __init__(
        self, function: str, captured: Sequence[Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any], owner: Any
    ) -> None:
        """Takes a registered function.

        Args:
          function: Its name in the runtime.
          captured: The tensors that it takes after its inputs.
          inputs: A TensorInfo per input by name.
          outputs: A TensorInfo per output by name.
          owner: What keeps the function registered.
        """
        import tensorflow as tf
        from tensorflow.python.eager import context

        # TensorFlow orders a dictionary's tensors by its keys.
        specs = {name: _spec(name, inputs[name]) for name in sorted(inputs)}
        self.structured_input_signature = ((), specs)
        """A pair as that of a `tf.function`: no positional inputs, and the specs by name."""
        self.structured_outputs = {name: _spec(name, outputs[name]) for name in sorted(outputs)}
        """The specs of the outputs by name."""
        self._specs = specs
        self._dtypes = [spec.dtype.as_datatype_enum for spec in specs.values()]
        self._outputs = list(self.structured_outputs)
        self._captured = list(captured)
        self._context = context.context()
        self._function = function.encode()
        self._owner = owner
        self._eager: Any = tf.__internal__.EagerTensor

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """Returns the outputs by name.

        Args:
          inputs: A tensor per input, or what `tf.convert_to_tensor` takes.

        Raises:
          TypeError: An input is missing or unknown, or cannot have the signature's type.
          RuntimeError: The call is within a graph.
          tf.errors.InvalidArgumentError: The graph refuses the values or shapes.
        """
        tensors = [inputs.get(name) for name in self._specs]
        if len(inputs) != len(tensors) or not self._fits(tensors):
            tensors = self._converted(inputs)
        outputs = self._context.call_function(self._function, tensors + self._captured, len(self._outputs))
        return dict(zip(self._outputs, outputs, strict=True))

    def _fits(self, tensors: list[Any]) -> bool:
        return all(
            isinstance(tensor, self._eager) and tensor._datatype_enum() == dtype
            for tensor, dtype in zip(tensors, self._dtypes, strict=True)
        )

    def _converted(self, inputs: Mapping[str, Any]) -> list[Any]:
        """Returns the inputs as tensors in the order of the function."""
        import tensorflow as tf

        if inputs.keys() != self._specs.keys():
            raise TypeError(f"expected the inputs {list(self._specs)}, got {sorted(inputs)}")
        if not self._context.executing_eagerly():
            raise RuntimeError("a loaded signature cannot be called within a graph")
        tensors = []
        for name, spec in self._specs.items():
            try:
                tensors.append(tf.convert_to_tensor(inputs[name], spec.dtype))
            except (TypeError, ValueError) as error:
                raise TypeError(f"{name}: expected {spec.dtype.name}, got {inputs[name]!r}") from error
        return tensors


def _spec(name: str, described: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(tf.TensorShape(described.tensor_shape), tf.as_dtype(described.dtype), name)
