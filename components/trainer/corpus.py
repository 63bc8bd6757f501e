"""The corpus: every candidate's id, transformed features and train count.

One process holds all of it: 1M candidates with 20 feature values each take about 160 MB. The raw texts are hashed as
they are read.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.features import to_dense
from components.trainer.raw_values import dtype_of
from components.transform.outputs import candidate_counts
from shortlist import keys
from shortlist.config.features import Feature
from shortlist.errors import DataError

_BATCH = 4096
_UNIT_SEPARATOR = "\x1f"
_RECORD_SEPARATOR = "\x1e"


@dataclasses.dataclass(frozen=True)
class Corpus:
    """All candidates, sorted by the bytes of their ids. The model refers to a candidate by its row number here."""

    ids: np.ndarray
    """[corpus] bytes objects."""
    features: Mapping[str, np.ndarray]
    """By feature name: int32 ids [corpus, n] padded with -1, or float32 [corpus, 1]."""
    counts: np.ndarray
    """[corpus] int64, the number of train targets of each candidate."""
    sha256: str
    """Fingerprint of the ids and raw features; models with equal fingerprints have the same corpus."""

    @property
    def size(self) -> int:
        """Number of candidates."""
        return len(self.ids)


def raw_feature_spec(features: Mapping[str, Feature]) -> dict[str, tf.io.VarLenFeature]:
    """Returns the spec that parses a table's raw features; all are sparse, and a missing value has no entry."""
    return {name: tf.io.VarLenFeature(dtype_of(feature.type)) for name, feature in sorted(features.items())}


def load_corpus(
    files: Sequence[str],
    features: Mapping[str, Feature],
    candidate_transform: tft.TFTransformOutput,
    window_transform: tft.TFTransformOutput,
) -> Corpus:
    """Returns the corpus of the flat candidate examples.

    Args:
      files: gz TFRecord files.
      features: The candidates' features.
      candidate_transform: The catalogue's transform graph.
      window_transform: The windows' transform graph, which contains the counts of the train targets.

    Raises:
      DataError: The catalogue is empty or contains an id twice.
    """
    batches = list(_batches(files, features, candidate_transform))
    if not batches:
        raise DataError("the catalogue has no rows; expected at least one candidate, check data.candidates.path")
    ids = np.concatenate([batch_ids for batch_ids, _, _ in batches])
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    _refuse_duplicates(ids)
    digests = np.concatenate([batch_digests for _, batch_digests, _ in batches])[order]
    counts = candidate_counts(window_transform)
    return Corpus(
        ids=ids,
        features={name: _stack([columns[name] for _, _, columns in batches])[order] for name in sorted(features)},
        counts=np.array([counts.get(candidate_id, 0) for candidate_id in ids], np.int64),
        sha256=hashlib.sha256(digests).hexdigest(),
    )


def _batches(
    files: Sequence[str], features: Mapping[str, Feature], transform: tft.TFTransformOutput
) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Yields (ids, digests for the fingerprint, transformed features)."""
    layer = transform.transform_features_layer()
    for serialized in catalogue_batches(files):
        ids, raw = parse_candidates(serialized, features)
        columns = {name: _narrow(column.numpy()) for name, column in transform_candidates(layer, raw).items()}
        yield ids.numpy(), _digests(_texts(ids, raw).numpy()), columns


def catalogue_batches(files: Sequence[str]) -> tf.data.Dataset:
    """Returns the serialized flat candidates of gz TFRecord files, string [batch]."""
    return tf.data.TFRecordDataset(sorted(files), compression_type="GZIP").batch(_BATCH)


def parse_candidates(
    serialized: tf.Tensor, features: Mapping[str, Feature]
) -> tuple[tf.Tensor, dict[str, tf.SparseTensor]]:
    """Returns the ids, [batch], and the raw features of serialized flat candidates, string [batch]."""
    spec = {keys.CANDIDATE_ID: tf.io.FixedLenFeature([], tf.string), **raw_feature_spec(features)}
    parsed = tf.io.parse_example(serialized, spec)
    return parsed.pop(keys.CANDIDATE_ID), parsed


def transform_candidates(layer: tf.keras.layers.Layer, raw: Mapping[str, tf.SparseTensor]) -> dict[str, tf.Tensor]:
    """Returns dense transformed features.

    Args:
      layer: The catalogue's transform graph as a Keras layer.
      raw: Raw features by name.
    """
    transformed = layer(dict(raw)) if raw else {}
    return {name: to_dense(transformed[name]) for name in raw}


def _narrow(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind != "i":
        return column
    return column.astype(np.int32)


def _stack(columns: Sequence[np.ndarray]) -> np.ndarray:
    width = max(column.shape[1] for column in columns)
    return np.concatenate(
        [np.pad(column, ((0, 0), (0, width - column.shape[1])), constant_values=-1) for column in columns]
    )


def _texts(ids: tf.Tensor, raw: Mapping[str, tf.SparseTensor]) -> tf.Tensor:
    """Returns [batch] strings; two are equal only if ids and all raw feature values are equal."""
    parts = [ids]
    for _, column in sorted(raw.items()):
        values = column.values
        if values.dtype == tf.float32:
            values = tf.bitcast(values, tf.int32)
        if values.dtype != tf.string:
            values = tf.strings.as_string(values)
        rows = tf.RaggedTensor.from_value_rowids(values, column.indices[:, 0], nrows=column.dense_shape[0])
        parts.append(tf.strings.reduce_join(rows, axis=1, separator=_UNIT_SEPARATOR))
    return tf.strings.join(parts, separator=_RECORD_SEPARATOR)


def _digests(texts: np.ndarray) -> np.ndarray:
    """Returns uint8 [batch, 32], the SHA-256 of each text [batch]."""
    joined = b"".join(hashlib.sha256(text).digest() for text in texts)
    return np.frombuffer(joined, np.uint8).reshape(len(texts), -1)


def _refuse_duplicates(sorted_ids: np.ndarray) -> None:
    same = np.flatnonzero(sorted_ids[1:] == sorted_ids[:-1])
    if len(same):
        raise DataError(
            f"candidate id {sorted_ids[same[0]].decode(errors='replace')!r} is in the catalogue more than once; "
            "expected each id once, remove the duplicates from data.candidates.path"
        )
