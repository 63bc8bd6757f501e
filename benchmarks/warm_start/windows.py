"""Windows and transform graphs of a small log, made in one process by the functions of the nodes."""

from __future__ import annotations

import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2

from components.trainer.corpus import raw_feature_spec
from components.transform import preprocessing
from components.windows import records, windowing
from shortlist import keys, splits
from shortlist.config.config import Config
from shortlist.config.features import Feature

_SPLITS = (keys.SPLIT_TRAIN, keys.SPLIT_EVAL, keys.SPLIT_TEST)
_ROWS = 256


def files(folder: pathlib.Path) -> dict[str, str]:
    """Returns the paths of what `write` writes."""
    return {name: str(folder / f"{name}.gz") for name in (*_SPLITS, "candidates")} | {
        name: str(folder / name) for name in ("transform", "candidate_transform")
    }


def write(folder: pathlib.Path, config: Config) -> None:
    """Writes windows, candidates and transform graphs of a folder's tables, once.

    Args:
      folder: Has interactions.parquet, items.parquet and users.parquet of the data set `online-retail-ii`.
      config: The preset of Online Retail.
    """
    paths = files(folder)
    if pathlib.Path(paths["transform"]).exists():
        return
    assert config.data.queries is not None
    log = pq.read_table(folder / "interactions.parquet", columns=["user_id", "item_id", "timestamp"]).to_pylist()
    by_query: dict[int, list[splits.Interaction]] = {}
    for number, row in enumerate(log):
        interaction = splits.Interaction(row["timestamp"], 0, b"log", number, row["item_id"].encode())
        by_query.setdefault(row["user_id"], []).append(interaction)
    users = {row["user_id"]: row for row in pq.read_table(folder / "users.parquet").to_pylist()}
    of_split: dict[str, list[bytes]] = {name: [] for name in _SPLITS}
    for query, rows in sorted(by_query.items()):
        kept = splits.drop_repeats(rows, config.data.interactions.repeats)
        names = splits.assign_splits(kept, config.data.split)
        features = _example({"country": [users[query]["country"]]})
        for window in windowing.iter_windows(kept, names, config.data.split, config.data.windows):
            encoded = records.encode(str(query).encode(), window, features, {"country": schema_pb2.BYTES})
            of_split[window.split].append(encoded)
    items = [
        _example({keys.CANDIDATE_ID: [row["item_id"]], "description": [row["description"]]})
        for row in pq.read_table(folder / "items.parquet").to_pylist()
    ]
    for name, serialized in (*of_split.items(), ("candidates", items)):
        _write(paths[name], serialized)
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.QUERY_ID, keys.TARGET_IDS)}
    spec |= {keys.TARGET_TIMES: tf.io.VarLenFeature(tf.int64), keys.TARGET_WEIGHTS: tf.io.VarLenFeature(tf.float32)}
    candidates = config.data.candidates.features
    _analyze(
        items,
        {keys.CANDIDATE_ID: tf.io.VarLenFeature(tf.string), **raw_feature_spec(candidates)},
        preprocessing.candidates_preprocessing_fn,
        candidates,
        paths["candidate_transform"],
    )
    queries = config.data.queries.features
    _analyze(
        of_split[keys.SPLIT_TRAIN],
        {**spec, **raw_feature_spec(queries)},
        preprocessing.queries_preprocessing_fn,
        queries,
        paths["transform"],
    )


def hit_rate(model: pathlib.Path, test_file: str, k: int) -> float:
    """Returns the share of test targets among the best k, without those that their query had seen."""
    evaluate = tf.saved_model.load(str(model)).signatures["evaluation"]
    batches = tf.data.TFRecordDataset(test_file, compression_type="GZIP").batch(_ROWS)
    ranks = np.concatenate([evaluate(examples=batch)[keys.RANK].numpy() for batch in batches])
    ranked = ranks[ranks > 0]
    return float(np.mean(ranked <= k))


def _example(values: Mapping[str, list[str]]) -> bytes:
    example = tf.train.Example()
    for name, texts in values.items():
        example.features.feature[name].bytes_list.value.extend(text.encode() for text in texts)
    return bytes(example.SerializeToString(deterministic=True))


def _write(path: str, serialized: Iterable[bytes]) -> None:
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for record in serialized:
            writer.write(record)


def _analyze(
    serialized: Iterable[bytes],
    spec: Mapping[str, Any],
    function: Callable[..., Any],
    features: Mapping[str, Feature],
    path: str,
) -> None:
    kinds = {tf.string: "bytes_list", tf.float32: "float_list", tf.int64: "int64_list"}
    rows = []
    for text in serialized:
        columns = tf.train.Example.FromString(text).features.feature
        rows.append({name: list(getattr(columns[name], kinds[column.dtype]).value) for name, column in spec.items()})
    custom = {"features": {name: feature.model_dump(mode="json") for name, feature in features.items()}}
    with tft_beam.Context(temp_dir=tempfile.mkdtemp()):
        metadata = tft.DatasetMetadata.from_feature_spec(dict(spec))
        analyzed = (rows, metadata) | tft_beam.AnalyzeDataset(functools.partial(function, custom_config=custom))
        _ = analyzed | tft_beam.WriteTransformFn(path)
