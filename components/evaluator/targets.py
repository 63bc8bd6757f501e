"""Slices by what the catalogue says of a row's target: windows name their target and do not describe it.

Each process holds the asked features of the whole catalogue once, some 100 bytes a value.
"""

from __future__ import annotations

import contextlib
import contextvars
import glob
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils import shared
from tensorflow_model_analysis import constants

from shortlist import keys

_BATCH = 4096


class TargetFeatures(dict[bytes, dict[str, np.ndarray]]):
    """By candidate id the values of each slice; unlike a plain dict, what Beam can share within a process."""


class TargetCatalogue(NamedTuple):
    """Where the candidates are described, and by what their rows are sliced."""

    candidates_dir: str
    """Folder of gz TFRecords of flat candidates."""
    slices: tuple[str, ...]
    """`keys.TARGET_FEATURE` and the name of a candidates' feature of texts."""


_ASKED: contextvars.ContextVar[TargetCatalogue | None] = contextvars.ContextVar("catalogue", default=None)


@contextlib.contextmanager
def use_catalogue(catalogue: TargetCatalogue | None) -> Iterator[None]:
    """Has `AddTargetFeatures` know the catalogue: TFX hands a function of extractors nothing of ours."""
    token = _ASKED.set(catalogue)
    try:
        yield
    finally:
        _ASKED.reset(token)


def current_catalogue() -> TargetCatalogue | None:
    """Returns the catalogue of the surrounding `use_catalogue`; None outside, or where nothing is asked for."""
    return _ASKED.get()


def read(catalogue: TargetCatalogue) -> TargetFeatures:
    """Returns by candidate id the values of each slice; what has none is not there.

    Args:
      catalogue: Its files are read batch by batch.
    """
    columns = {name: name.removeprefix(keys.TARGET_FEATURE) for name in catalogue.slices}
    spec: dict[str, Any] = {column: tf.io.VarLenFeature(tf.string) for column in columns.values()}
    spec[keys.CANDIDATE_ID] = tf.io.FixedLenFeature([], tf.string)
    files = sorted(glob.glob(os.path.join(catalogue.candidates_dir, "*.gz")))
    found = TargetFeatures()
    for batch in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BATCH):
        parsed = tf.io.parse_example(batch, spec)
        ids = parsed[keys.CANDIDATE_ID].numpy()
        for name, column in columns.items():
            ragged = tf.RaggedTensor.from_sparse(parsed[column])
            starts, values = ragged.row_starts().numpy(), ragged.values.numpy()
            for candidate, of_one in zip(ids, np.split(values, starts[1:]), strict=True):
                if of_one.size:
                    found.setdefault(candidate, {})[name] = of_one
    return found


class AddTargetFeatures(beam.PTransform):
    """Adds to each row's features those of its target, under the slices' names."""

    def __init__(self, catalogue: TargetCatalogue) -> None:
        super().__init__()
        self._catalogue = catalogue

    def expand(self, extracts: beam.PCollection) -> beam.PCollection:
        """Called by Beam."""
        return extracts | beam.ParDo(_AddFn(self._catalogue))


class _AddFn(beam.DoFn):
    def __init__(self, catalogue: TargetCatalogue) -> None:
        self._catalogue = catalogue
        self._shared = shared.Shared()
        self._described = TargetFeatures()

    def setup(self) -> None:
        # One for all threads of a process.
        self._described = self._shared.acquire(lambda: read(self._catalogue))

    def process(self, extracts: dict[str, Any]) -> Iterator[dict[str, Any]]:
        features = extracts[constants.FEATURES_KEY]
        [target] = np.ravel(features[keys.TARGET_IDS])
        yield {**extracts, constants.FEATURES_KEY: {**features, **self._described.get(target, {})}}
