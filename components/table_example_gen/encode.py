"""Checked values of rows -> serialized tf.train.Examples, as flat examples are defined."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from tfx_bsl.coders import example_coder

from shortlist import keys
from shortlist.tables.spec import ColumnType, TableSpec
from shortlist.tables.values import Values

_ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "order": pa.int64(),
    "subsecond": pa.int64(),
    "weight": pa.float32(),
    "timestamp": pa.int64(),
    "numeric": pa.float32(),
}


class Encoder:
    """Encodes the rows of one table, a batch at a time: 7 times as fast as row by row in Python."""

    def __init__(self, spec: TableSpec):
        self._columns = [(column.name, pa.list_(_ARROW_TYPES.get(column.type, pa.binary()))) for column in spec.columns]
        names = [*(name for name, _ in self._columns), keys.SOURCE_PATH, keys.SOURCE_ROW]
        types = [*(arrow_type for _, arrow_type in self._columns), pa.list_(pa.binary()), pa.list_(pa.int64())]
        self._schema = pa.schema(list(zip(names, types, strict=True)))

    def encode(self, rows: Sequence[tuple[int, dict[str, Values]]], source_path: str) -> list[bytes]:
        """Returns a serialized tf.train.Example a row.

        A feature without a value is there, with an empty list of its type.

        Args:
          rows: Data row in the file, from 0, and feature name to values, from `readers.parsed_rows`.
          source_path: The file, relative to the data root.
        """
        arrays = [pa.array([values[name] for _, values in rows], type) for name, type in self._columns]
        arrays.append(pa.array([[source_path]] * len(rows), self._schema.field(keys.SOURCE_PATH).type))
        arrays.append(pa.array([[row] for row, _ in rows], self._schema.field(keys.SOURCE_ROW).type))
        return list(example_coder.RecordBatchToExamples(pa.RecordBatch.from_arrays(arrays, schema=self._schema)))
