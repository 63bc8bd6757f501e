"""Catalogue of an exported model, written from the flat candidates, in memory for one row group at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
import tensorflow as tf

from components import shards
from shortlist import keys
from shortlist.config.features import FeatureType
from shortlist.config.table import Candidates
from shortlist.errors import DataError
from shortlist.model_files import CANDIDATES_FILE, TRAINED_FILE
from shortlist.serving import catalogue

_BATCH = 4096
_ROWS_PER_GROUP = 65_536
# Each group is a file while the rows are sorted, and a process may have 1,024 files open.
_MAX_GROUPS = 256
_DTYPES = {FeatureType.NUMERIC: tf.float32, FeatureType.TIMESTAMP: tf.int64}


@dataclasses.dataclass(frozen=True)
class CatalogueFields:
    """The features that the catalogue has."""

    title: str | None
    features: dict[str, FeatureType]
    """Type by name: the title and all attributes."""

    @classmethod
    def of(cls, table: Candidates) -> CatalogueFields:
        """Returns the title and the attributes in the config."""
        kinds = {name: feature.type for name, feature in sorted(table.features.items())}
        return cls(
            table.title,
            {name: kind for name, kind in kinds.items() if name == table.title or catalogue.has_attribute(kind)},
        )

    @classmethod
    def from_json(cls, text: str) -> CatalogueFields:
        """Returns the fields that `to_json` wrote."""
        found = json.loads(text)
        return cls(found["title"], {name: FeatureType(kind) for name, kind in found["features"].items()})

    def to_json(self) -> str:
        """Returns the fields for an exec property."""
        return json.dumps({"title": self.title, "features": {name: kind.value for name, kind in self.features.items()}})

    @property
    def attributes(self) -> dict[str, FeatureType]:
        """Type by attribute."""
        return {name: kind for name, kind in self.features.items() if catalogue.has_attribute(kind)}


@contextlib.contextmanager
def written(candidates_dir: str, fields: CatalogueFields, trained_dir: str) -> Iterator[catalogue.Catalogue]:
    """Writes the catalogue of a model into a temporary file, and yields it.

    The ids are read twice: the order of all of them gives the rows, as in the Trainer's corpus.

    Args:
      candidates_dir: Folder or URI of the flat candidates, gz TFRecords.
      fields: The features to write.
      trained_dir: Folder or URI of a model of this catalogue.

    Raises:
      DataError: The model has another number of candidates.
    """
    files = shards.list_files(candidates_dir)
    rows = _model_rows(files)
    _check_size(trained_dir, len(rows), candidates_dir)
    schema = catalogue.schema(fields.title, fields.attributes)
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "candidates.parquet")
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in _sorted_groups(_tables(files, fields, rows, schema), len(rows), schema, scratch):
                writer.write_table(group)
        yield catalogue.Catalogue(path)


def copy(written_catalogue: catalogue.Catalogue, model_dirs: Sequence[str]) -> None:
    """Copies a catalogue to `assets.extra/candidates.parquet` of exported models, whose folders may be URIs."""
    for folder in model_dirs:
        destination = os.path.join(folder, CANDIDATES_FILE)
        tf.io.gfile.makedirs(os.path.dirname(destination))
        tf.io.gfile.copy(str(written_catalogue.path), destination, overwrite=True)


def _check_size(model_dir: str, rows: int, candidates_dir: str) -> None:
    path = os.path.join(model_dir, TRAINED_FILE)
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path) as file:
        expected = json.loads(file.read()).get("corpus_size", rows)
    if expected != rows:
        raise DataError.from_parts(
            candidates_dir, f"the {expected:,} candidates of the model", f"{rows:,}", "run the pipeline again"
        )


def _model_rows(files: Sequence[str]) -> np.ndarray:
    """Returns the model's row of each candidate in the order of the files, int64 [corpus_size]."""
    spec = {keys.CANDIDATE_ID: tf.io.FixedLenFeature([], tf.string)}
    ids = pa.chunked_array(
        [pa.array(batch[keys.CANDIDATE_ID], pa.binary()) for batch in _parsed(files, spec)], pa.binary()
    )
    order = pc.sort_indices(ids).to_numpy()
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order))
    return rows


class _Sparse(NamedTuple):
    """The values of a feature that may be missing, and the row within the batch of each."""

    rows: np.ndarray
    values: np.ndarray


def _parsed(files: Sequence[str], spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields parsed batches: a NumPy array for the id, and `_Sparse` for the features."""
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH)
    for batch in records.map(lambda serialized: tf.io.parse_example(serialized, spec)):
        yield {
            name: _Sparse(column.indices.numpy()[:, 0], column.values.numpy())
            if isinstance(column, tf.SparseTensor)
            else column.numpy()
            for name, column in batch.items()
        }


def _tables(
    files: Sequence[str], fields: CatalogueFields, rows: np.ndarray, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yields the catalogue in the order of the files."""
    spec: dict[str, Any] = {keys.CANDIDATE_ID: tf.io.FixedLenFeature([], tf.string)}
    spec |= {name: tf.io.VarLenFeature(_DTYPES.get(kind, tf.string)) for name, kind in fields.features.items()}
    start = 0
    for batch in _parsed(files, spec):
        ids = batch[keys.CANDIDATE_ID]
        columns = [pa.array(rows[start : start + len(ids)]), _strings(ids)]
        columns.append(_titles(batch[fields.title], len(ids)) if fields.title else pa.nulls(len(ids), pa.string()))
        columns += [_attribute(batch[name], kind, len(ids)) for name, kind in sorted(fields.attributes.items())]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        start += len(ids)


def _strings(values: np.ndarray) -> pa.Array:
    # Parquet's string columns may hold bytes that are not UTF-8.
    return pa.array([value.decode("utf-8", "replace") for value in values], pa.string())


def _titles(column: _Sparse, size: int) -> pa.Array:
    titles: list[str | None] = [None] * size
    for row, value in zip(column.rows, column.values, strict=True):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else f"{value:g}"
        before = titles[row]
        titles[row] = text if before is None else f"{before} {text}"
    return pa.array(titles, pa.string())


def _attribute(column: _Sparse, kind: FeatureType, size: int) -> pa.Array:
    if kind in (FeatureType.CATEGORY, FeatureType.MULTI_CATEGORY):
        ends = np.cumsum(np.bincount(column.rows, minlength=size))
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), _strings(column.values))
    values, is_missing = np.zeros(size, column.values.dtype), np.ones(size, bool)
    values[column.rows], is_missing[column.rows] = column.values, False
    return pa.array(values, mask=is_missing)


def _sorted_groups(batches: Iterator[pa.RecordBatch], size: int, schema: pa.Schema, scratch: str) -> Iterator[pa.Table]:
    """Yields the rows in the model's order, one row group at a time; the other groups wait in files of `scratch`."""
    rows_per_group = max(_ROWS_PER_GROUP, -(-size // _MAX_GROUPS))
    paths = [os.path.join(scratch, f"group-{number}") for number in range(-(-size // rows_per_group))]
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(pa.ipc.new_stream(path, schema)) for path in paths]
        for batch in batches:
            groups = batch.column(0).to_numpy() // rows_per_group
            for group in np.unique(groups):
                writers[group].write_table(pa.Table.from_batches([batch]).take(np.flatnonzero(groups == group)))
    for path in paths:
        with pa.ipc.open_stream(path) as reader:
            table = reader.read_all()
        yield table.take(pc.sort_indices(table.column(catalogue.ROW)))
        os.remove(path)
