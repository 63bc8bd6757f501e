"""Loader of served SavedModels that makes no Python graphs of their functions.

`tf.saved_model.load` imports each function of a model into a Python graph, so that it can be traced, differentiated and
saved again. At 200,000 candidates these graphs took more memory than the vectors, and most of the time of a load. A
served model is only called, so here its functions go to TensorFlow's runtime as the file has them. Functions that no
signature needs, such as the trained model's evaluation, are left out.
"""

from __future__ import annotations

import itertools
import os
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from shortlist.serving.signatures import Signature

_LOADS = itertools.count()


class ServedSavedModel:
    """A SavedModel to call. Its functions and tables are freed with the last reference to it or to a signature."""

    def __init__(self, folder: str) -> None:
        """Loads a model that `components.indexer.export` wrote.

        Args:
          folder: A local folder or a URI that TensorFlow opens.

        Raises:
          Exception: The model is damaged or not a served one; TensorFlow raises many types.
        """
        loader = _Loader(folder)
        self.signatures: Mapping[str, Signature] = types.MappingProxyType(loader.signatures())
        """Signatures by name."""
        self.trained: Any = loader.variables_of("trained")
        """The variables of the Trainer's model by name, such as `candidate_ids`; None if the model has no such part."""


class _Runtime:
    """Functions and tables of one load in TensorFlow's runtime, freed with the last reference to this object."""

    def __init__(self) -> None:
        from tensorflow.python.eager import context

        self._context = context.context()
        self._functions: list[str] = []
        self._tables: list[Any] = []
        finalizer = weakref.finalize(self, _free, self._context, self._functions, self._tables)
        # The runtime may be gone when the process ends.
        finalizer.atexit = False

    def add_function(self, definition: Any) -> None:
        """Registers a FunctionDef, whose name no other load has."""
        self._context.add_function_def(definition)
        self._functions.append(definition.signature.name)

    def add_table(self, handle: Any) -> None:
        """Takes a table to free in the end."""
        self._tables.append(handle)


def _free(context: Any, functions: Iterable[str], tables: Iterable[Any]) -> None:
    import tensorflow as tf
    from tensorflow.python.eager.context import eager_mode

    # The last reference may end while another function is traced, which would otherwise get this operation.
    with eager_mode():
        for handle in tables:
            tf.raw_ops.DestroyResourceOp(resource=handle, ignore_lookup_error=True)
    for name in functions:
        context.remove_function(name)


class _Loader:
    """One load. The objects of the model are made when a function that captures them is read."""

    def __init__(self, folder: str) -> None:
        import tensorflow as tf
        from tensorflow.core.protobuf import saved_model_pb2

        self._folder = folder
        with tf.io.gfile.GFile(os.path.join(folder, "saved_model.pb"), "rb") as file:
            [self._graph] = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
        self._nodes = self._graph.object_graph_def.nodes
        self._captures = self._graph.object_graph_def.concrete_functions
        self._definitions = {it.signature.name: it for it in self._graph.graph_def.library.function}
        # Two models of one process must not share names.
        self._suffix = f"_served_{next(_LOADS)}"
        self._runtime = _Runtime()
        self._added: set[str] = set()
        self._objects: dict[int, Any] = {}
        # All are read at once: each read opens the file anew.
        self._variables = _read_variables(folder, self._nodes)

    def signatures(self) -> dict[str, Signature]:
        """Returns the signatures by name."""
        found = {}
        for name, number in self._children(self._children(0)["signatures"]).items():
            function = self._nodes[number].bare_concrete_function.concrete_function_name
            described = self._graph.signature_def[name]
            found[name] = Signature(
                self._add(function), self._captured(function), described.inputs, described.outputs, self._runtime
            )
        return found

    def variables_of(self, name: str) -> types.SimpleNamespace | None:
        """Returns the variables of a child of the root by name; None if the root has no such child."""
        if name not in self._children(0):
            return None
        children = self._children(self._children(0)[name]).items()
        variables = {child: self._variables[number] for child, number in children if number in self._variables}
        return types.SimpleNamespace(**variables)

    def _children(self, number: int) -> dict[str, int]:
        return {child.local_name: child.node_id for child in self._nodes[number].children}

    def _add(self, name: str) -> str:
        """Adds a function and those that it calls, and returns its name in the runtime."""
        added = name + self._suffix
        if name not in self._added:
            self._added.add(name)
            definition = self._definitions[name]
            called = self._rename(definition)
            definition.signature.name = added
            for other in called:
                self._add(other)
            self._runtime.add_function(definition)
        return added

    def _rename(self, definition: Any) -> list[str]:
        """Gives the functions and the resources that a function names their names in this load.

        Returns:
          The names of the called functions in the file.
        """
        called = []
        for node in definition.node_def:
            named = [it for value in node.attr.values() for it in (value.func, *value.list.func) if it.name]
            called += [it.name for it in named]
            for it in named:
                it.name += self._suffix
            if node.op in self._definitions:
                called.append(node.op)
                node.op += self._suffix
            self._rename_resource(node)
        return called

    def _rename_resource(self, node: Any) -> None:
        from tensorflow.python.framework import op_def_registry

        operation = op_def_registry.get(node.op)
        if operation is None or all(it.name != "shared_name" for it in operation.attr):
            return
        name = node.attr["shared_name"].s or node.name.encode()
        node.attr["shared_name"].s = name + self._suffix.encode()

    def _captured(self, function: str) -> list[Any]:
        """Returns the tensors that a function takes after its inputs."""
        return [self._tensor(number) for number in self._captures[function].bound_inputs]

    def _tensor(self, number: int) -> Any:
        """Returns the tensor of a node of the object graph, or the handle of its resource."""
        if number in self._variables:
            return self._variables[number].handle
        if number not in self._objects:
            self._objects[number] = self._make(number)
        return self._objects[number]

    def _make(self, number: int) -> Any:
        import tensorflow as tf

        node = self._nodes[number]
        kind = node.WhichOneof("kind")
        if kind == "constant":
            [value] = [it.attr["value"] for it in self._graph.graph_def.node if it.name == node.constant.operation]
            return tf.constant(tf.make_ndarray(value.tensor))
        if kind == "asset":
            described = self._graph.asset_file_def[node.asset.asset_file_def_index]
            return tf.constant(os.path.join(self._folder, "assets", described.filename))
        if kind == "resource":
            return self._make_table(number)
        raise NotImplementedError(f"a function captures an object of the kind {kind}")

    def _make_table(self, number: int) -> Any:
        [handle] = self._run(number, "_create_resource", 1)
        self._runtime.add_table(handle)
        # Filling captures the handle.
        self._objects[number] = handle
        self._run(number, "_initialize", 1)
        return handle

    def _run(self, number: int, name: str, num_outputs: int) -> Any:
        """Calls a function of an object without inputs."""
        from tensorflow.python.eager import context

        [function] = self._nodes[self._children(number)[name]].function.concrete_functions
        return context.context().call_function(self._add(function).encode(), self._captured(function), num_outputs)


def _read_variables(folder: str, nodes: Any) -> dict[int, Any]:
    """Returns the variables of a SavedModel by their position in the object graph."""
    import tensorflow as tf
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    prefix = os.path.join(folder, "variables", "variables")
    # `tf.train.load_checkpoint` also looks for the file, and finds none at some URIs.
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    saved = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    ).nodes
    keys = {
        number: attribute.checkpoint_key
        for number, other in _pairs(nodes, saved).items()
        if nodes[number].WhichOneof("kind") == "variable"
        for attribute in saved[other].attributes
    }
    if not keys:
        return {}
    dtypes = [tf.as_dtype(nodes[number].variable.dtype) for number in keys]
    values = tf.raw_ops.RestoreV2(
        prefix=prefix, tensor_names=list(keys.values()), shape_and_slices=[""] * len(keys), dtypes=dtypes
    )
    return {number: tf.Variable(value, trainable=False) for number, value in zip(keys, values, strict=True)}


def _pairs(nodes: Any, others: Any) -> dict[int, int]:
    """Returns the node of another object graph for each node, found by the names of the way from the root."""
    pairs, waiting = {0: 0}, [0]
    while waiting:
        number = waiting.pop()
        other = {child.local_name: child.node_id for child in others[pairs[number]].children}
        for child in nodes[number].children:
            if child.node_id not in pairs and child.local_name in other:
                pairs[child.node_id] = other[child.local_name]
                waiting.append(child.node_id)
    return pairs
