"""TensorFlow graphs made from what the code says, without AutoGraph.

AutoGraph parses, rewrites and compiles the source of every function that a traced one calls, Keras' and tf.Transform's
among them, in case one has a Python `if` or `for` over tensors. Ours have none, they say `tf.where`, `tf.cond` and
`tf.while_loop`: to look for them took some 15 s of a training's start and 3 s of each evaluation, on 2 cores. The task
of TFRS does have one, and is converted alone, see `trainer.losses.in_batch`.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

graph_function: Any = functools.partial(tf.function, autograph=False)
"""`tf.function` of a function without Python control flow over tensors."""

without_autograph: Any = tf.autograph.experimental.do_not_convert
"""For functions that a tf.data pipeline traces."""
