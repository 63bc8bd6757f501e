"""Flat tables for tests: written as the ExampleGens write them, and read back."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Iterable

import pytest
import tensorflow as tf

from shortlist import datasets, splits
from shortlist.errors import DataError

Log = list[tuple[bytes, splits.Interaction]]


def interaction(query_id: bytes, row: splits.Interaction) -> bytes:
    return example(
        query_id=[query_id],
        candidate_id=[row.candidate_id],
        timestamp=[row.timestamp],
        timestamp_nanos=[row.nanos],
        weight=[row.weight],
        source_path=[row.source_path],
        source_row=[row.source_row],
    )


def example(**features: list) -> bytes:
    record = tf.train.Example()
    for name, values in features.items():
        feature = record.features.feature[name]
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        elif values and isinstance(values[0], float):
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return record.SerializeToString(deterministic=True)


def write(folder: pathlib.Path, records: Iterable[bytes]) -> str:
    """Writes one table and returns the file pattern that reads it."""
    folder = folder / "Split-all"
    folder.mkdir(parents=True)
    path = str(folder / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in records:
            writer.write(record)
    return str(folder / "*")


def read(uri: pathlib.Path, split: str) -> list[tf.train.Example]:
    """Returns a split's records in the order of shards and rows."""
    files = sorted(str(path) for path in (uri / f"Split-{split}").iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP")
    return [tf.train.Example.FromString(record) for record in records.as_numpy_iterator()]


def bytes_of(record: tf.train.Example, name: str) -> list[bytes]:
    return list(record.features.feature[name].bytes_list.value)


def ints_of(record: tf.train.Example, name: str) -> list[int]:
    return list(record.features.feature[name].int64_list.value)


def movielens_100k() -> Log:
    """Returns the real log, in the order of u.data; fetches it, and skips the test where that cannot be done."""
    try:
        path = datasets.fetch("movielens-100k", datasets.default_data_dir()).path / "interactions.csv"
    except DataError as error:
        pytest.skip(f"no data: {error}")
    with path.open(newline="", encoding="utf-8") as file:
        return [
            (
                row["user_id"].encode(),
                splits.Interaction(int(row["timestamp"]), 0, b"interactions.csv", index, row["item_id"].encode()),
            )
            for index, row in enumerate(csv.DictReader(file))
        ]
