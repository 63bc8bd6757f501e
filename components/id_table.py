"""Lookup tables whose ids are stored once, in a variable.

A table of constants stores its ids in `saved_model.pb`, which is limited to 2 GB, once per table. A vocabulary file
would end an id at a newline. A variable is part of the checkpoint, without a limit and for any bytes.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_UNKNOWN = -1


class _FromVariable(tf.lookup.KeyValueTensorInitializer):
    """An initializer that reads the variable whenever the table is made, after the checkpoint is restored."""

    def __init__(self, ids: tf.Variable) -> None:
        """Takes string [num_ids]."""
        # The parent's constructor would turn the ids into constants.
        tf.lookup.KeyValueTensorInitializer.__base__.__init__(self, tf.string, tf.int32)
        self._ids = ids

    def initialize(self, table: Any) -> tf.Operation:
        """Fills the table; called when it is made and, in a saved model, when that is loaded."""
        ids = self._ids.read_value()
        return tf.raw_ops.InitializeTableV2(table_handle=table.resource_handle, keys=ids, values=tf.range(tf.size(ids)))


def make_id_table(ids: tf.Variable) -> tf.lookup.StaticHashTable:
    """Returns a table from an id to its row, int32; -1 for an unknown id.

    Args:
      ids: string [num_ids], distinct. A module that is saved with the table must track it.
    """
    return tf.lookup.StaticHashTable(_FromVariable(ids), _UNKNOWN)
