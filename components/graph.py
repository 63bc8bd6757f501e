"""TensorFlow graphs without AutoGraph, checks of their inputs, and reads of large variables without copies.

AutoGraph parses, rewrites and compiles the source of every function that a traced function calls, those of Keras and
tf.Transform included. It looks for a Python `if` or `for` over tensors. Shortlist has none: it uses `tf.where`,
`tf.cond` and `tf.while_loop`. On 2 cores the search took about 15 s at the start of a training and 3 s per evaluation.
The task of TFRS does need AutoGraph and is converted alone, see `trainer.losses.in_batch`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

graph_function: Any = functools.partial(tf.function, autograph=False)
"""`tf.function` of a function without Python control flow over tensors."""

graph_branch: Any = functools.partial(graph_function, experimental_attributes={"_noinline": True})
"""`graph_function` for a branch of `tf.cond` that is rarely taken.

TensorFlow puts the operations of a branch into the graph around it, and each costs some time even if it is not taken.
In a function of its own the branch costs as much as one operation.
"""

without_autograph: Any = tf.autograph.experimental.do_not_convert
"""For functions that a tf.data pipeline traces."""


def one_row_per_query(inputs: Mapping[str, tf.Tensor], item: str = "query") -> dict[str, tf.Tensor]:
    """Returns the inputs of a signature, after a check in the graph that all have the same number of rows.

    Without it, an input of one row is broadcast to all queries, and others fail with a message about some inner
    operation.

    Args:
      inputs: Input name to tensor; the first axis is the batch.
      item: What a row describes, for the message.

    Raises:
      tf.errors.InvalidArgumentError: When the graph runs, with the names and the numbers of rows.
    """
    names = list(inputs)
    rows = tf.stack([tf.shape(inputs[name])[0] for name in names])
    message = f"expected one row per {item} in every input, got these numbers of rows:"
    check = tf.debugging.Assert(tf.reduce_all(rows == rows[0]), [message, names, rows], summarize=len(names))
    # The operations on the inputs wait for the check; otherwise one of them may fail first.
    with tf.control_dependencies([check]):
        return {name: tf.identity(value) for name, value in inputs.items()}


def gather_rows(table: tf.Tensor | tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Returns `tf.gather(table, rows)` by a dense read of the table.

    `tf.gather` reads a variable sparsely. From then on TensorFlow copies the whole variable at each dense read (its
    copy-on-read mode): an exact search of 200,000 candidates took 7.2 ms of CPU, and takes 4.1 by a dense read.
    """
    return tf.gather(tf.convert_to_tensor(table), rows)
