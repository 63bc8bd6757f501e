"""Slices by features of a row's target, which are read from the catalogue; windows contain only the target's id.

Each process holds these features of the whole catalogue once, about 100 bytes per value.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils import shared
from tensorflow_model_analysis import constants

from components import shards
from shortlist import keys

_BATCH = 4096


class TargetFeatures(dict[bytes, dict[str, np.ndarray]]):
    """Values by candidate id and slice. Beam can share an instance within a process, unlike a plain dict."""


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
    """Returns the values by candidate id and slice; candidates without values are absent.

    Args:
      catalogue: The catalogue, whose files are read batch by batch.
    """
    columns = {name: name.removeprefix(keys.TARGET_FEATURE) for name in catalogue.slices}
    spec: dict[str, Any] = {column: tf.io.VarLenFeature(tf.string) for column in columns.values()}
    spec[keys.CANDIDATE_ID] = tf.io.FixedLenFeature([], tf.string)
    files = shards.list_files(catalogue.candidates_dir)
    features = TargetFeatures()
    for batch in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH):
        parsed = tf.io.parse_example(batch, spec)
        ids = parsed[keys.CANDIDATE_ID].numpy()
        for name, column in columns.items():
            ragged = tf.RaggedTensor.from_sparse(parsed[column])
            starts, values = ragged.row_starts().numpy(), ragged.values.numpy()
            for candidate, candidate_values in zip(ids, np.split(values, starts[1:]), strict=True):
                if candidate_values.size:
                    features.setdefault(candidate, {})[name] = candidate_values
    return features


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
        self._features = TargetFeatures()

    def setup(self) -> None:
        # All threads of a process share one copy.
        self._features = self._shared.acquire(lambda: read(self._catalogue))

    def process(self, extracts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        features = extracts[constants.FEATURES_KEY]
        [target] = np.ravel(features[keys.TARGET_IDS])
        yield {**extracts, constants.FEATURES_KEY: {**features, **self._features.get(target, {})}}
