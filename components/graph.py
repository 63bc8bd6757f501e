"""TensorFlow graphs without AutoGraph.

AutoGraph parses, rewrites and compiles the source of every function that a traced function calls, those of Keras and
tf.Transform included. It looks for a Python `if` or `for` over tensors. Shortlist has none: it uses `tf.where`,
`tf.cond` and `tf.while_loop`. On 2 cores the search took about 15 s at the start of a training and 3 s per evaluation.
The task of TFRS does need AutoGraph and is converted alone, see `trainer.losses.in_batch`.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

graph_function: Any = functools.partial(tf.function, autograph=False)
"""`tf.function` of a function without Python control flow over tensors."""

without_autograph: Any = tf.autograph.experimental.do_not_convert
"""For functions that a tf.data pipeline traces."""
