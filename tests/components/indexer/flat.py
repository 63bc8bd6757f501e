"""Flat candidates as the ExampleGens write them."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


def write_candidates(folder: pathlib.Path, rows: Sequence[Mapping[str, Any]], per_file: int = 1000) -> pathlib.Path:
    """Writes gz TFRecords and returns their folder; a list of strings, floats or integers per feature."""
    folder.mkdir(parents=True)
    for start in range(0, len(rows), per_file):
        path = folder / f"candidates-{start:06d}.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for row in rows[start : start + per_file]:
                features = {name: _feature(values) for name, values in row.items()}
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return folder


def _feature(values: Any) -> tf.train.Feature:
    if not isinstance(values, list):
        values = [values]
    if values and all(isinstance(value, int) for value in values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if values and all(isinstance(value, float) for value in values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    encoded = [value if isinstance(value, bytes) else value.encode() for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
