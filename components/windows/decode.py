"""Decodes many serialized flat examples at once, in C++: Python reads the features of an example one by one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders import example_coder


class Decoder:
    """Decodes features with one value at most."""

    def __init__(self, kinds: Mapping[str, int]) -> None:
        """Takes the schema_pb2.FeatureType of each feature by name; other features are not decoded."""
        self._names = list(kinds)
        schema = schema_pb2.Schema()
        for name, kind in kinds.items():
            schema.feature.add(name=name, type=kind)
        self._decoder = example_coder.ExamplesToRecordBatchDecoder(schema.SerializeToString())

    def decode(self, serialized: Sequence[bytes]) -> dict[str, list[Any]]:
        """Returns each feature's value per example; None if it is absent."""
        batch = self._decoder.DecodeBatch(list(serialized))
        return {name: _first_values(batch.column(batch.schema.get_field_index(name))) for name in self._names}


def _first_values(column: pa.LargeListArray) -> list[Any]:
    offsets = np.asarray(column.offsets)
    values = column.values.to_pylist()
    if np.array_equal(offsets, np.arange(len(column) + 1)):
        return list(values)
    return [values[start] if end > start else None for start, end in itertools.pairwise(offsets)]
