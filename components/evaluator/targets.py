"""Slices by features of a row's target, which are read from the catalogue; windows contain only the target's id.

Each process holds these features of the whole catalogue once, as Arrow columns: the bytes of the ids and values, and 8
more for each.
"""

from __future__ import annotations

import bisect
import contextlib
import contextvars
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from apache_beam.utils import shared
from tensorflow_model_analysis import constants

from components import shards
from shortlist import keys

_BATCH = 4096


class TargetFeatures:
    """The slices' values of each candidate."""

    def __init__(self, ids: pa.LargeBinaryArray, columns: Mapping[str, pa.LargeListArray]) -> None:
        """Takes the ids, sorted and distinct, and by slice a list of values for each of them."""
        self._ids = ids
        self._columns = columns

    def of(self, candidate: bytes) -> dict[str, np.ndarray]:
        """Returns a candidate's values, [n] bytes objects, by slice; a slice without values is absent."""
        # By bisection rather than with a dict, which would take several hundred bytes per candidate.
        row = bisect.bisect_left(_Items(self._ids), candidate)
        if row == len(self._ids) or self._ids[row].as_py() != candidate:
            return {}
        values = {name: np.array(column[row].as_py(), object) for name, column in self._columns.items()}
        return {name: found for name, found in values.items() if found.size}


class _Items(Sequence[bytes]):
    """An Arrow array as a sequence of Python objects."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, row: Any) -> Any:
        return self._array[row].as_py()


class TargetCatalogue(NamedTuple):
    """Location of the catalogue, and the slices by its features."""

    candidates_dir: str
    """Folder of gz TFRecords of flat candidates."""
    slices: tuple[str, ...]
    """Names of slices: `keys.TARGET_FEATURE`, followed by the name of a candidates' string feature."""


_CATALOGUE: contextvars.ContextVar[TargetCatalogue | None] = contextvars.ContextVar("catalogue", default=None)


@contextlib.contextmanager
def use_catalogue(catalogue: TargetCatalogue | None) -> Iterator[None]:
    """Makes the catalogue available to the extractors; TFX passes them no parameter of ours."""
    token = _CATALOGUE.set(catalogue)
    try:
        yield
    finally:
        _CATALOGUE.reset(token)


def current_catalogue() -> TargetCatalogue | None:
    """Returns the catalogue of the surrounding `use_catalogue`; None outside of it, or without target slices."""
    return _CATALOGUE.get()


def read(catalogue: TargetCatalogue) -> TargetFeatures:
    """Returns the features of the catalogue's candidates.

    Args:
      catalogue: The catalogue, whose files are read batch by batch.
    """
    columns = {name: name.removeprefix(keys.TARGET_FEATURE) for name in catalogue.slices}
    spec: dict[str, Any] = {column: tf.io.VarLenFeature(tf.string) for column in columns.values()}
    spec[keys.CANDIDATE_ID] = tf.io.FixedLenFeature([], tf.string)
    files = shards.list_files(catalogue.candidates_dir)
    schema = pa.schema(
        [(keys.CANDIDATE_ID, pa.large_binary()), *((name, pa.large_list(pa.large_binary())) for name in columns)]
    )
    batches = []
    for batch in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH):
        parsed = tf.io.parse_example(batch, spec)
        lists = [_lists(tf.RaggedTensor.from_sparse(parsed[column])) for column in columns.values()]
        ids = pa.array(parsed[keys.CANDIDATE_ID].numpy(), pa.large_binary())
        batches.append(pa.RecordBatch.from_arrays([ids, *lists], schema=schema))
    table = pa.Table.from_batches(batches, schema).combine_chunks()
    table = table.take(pc.sort_indices(table.column(keys.CANDIDATE_ID)))
    combined = {name: pa.concat_arrays(table.column(name).chunks) for name in schema.names if table.num_rows}
    return TargetFeatures(combined.pop(keys.CANDIDATE_ID, pa.array([], pa.large_binary())), combined)


def _lists(column: tf.RaggedTensor) -> pa.LargeListArray:
    values = pa.array(column.values.numpy(), pa.large_binary())
    return pa.LargeListArray.from_arrays(pa.array(column.row_splits.numpy(), pa.int64()), values)


class AddTargetFeatures(beam.PTransform):
    """Adds the features of the target to those of each row, under the slices' names."""

    def __init__(self, catalogue: TargetCatalogue) -> None:
        super().__init__()
        self._catalogue = catalogue

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        """Implements beam.PTransform."""
        return extracts | beam.ParDo(_AddFn(self._catalogue))


class _AddFn(beam.DoFn):
    def __init__(self, catalogue: TargetCatalogue) -> None:
        self._catalogue = catalogue
        self._shared = shared.Shared()
        self._features = TargetFeatures(pa.array([], pa.large_binary()), {})

    def setup(self) -> None:
        # All threads of a process share one copy.
        self._features = self._shared.acquire(lambda: read(self._catalogue))

    def process(self, extracts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        features = extracts[constants.FEATURES_KEY]
        [target] = np.ravel(features[keys.TARGET_IDS])
        yield {**extracts, constants.FEATURES_KEY: {**features, **self._features.of(target)}}
