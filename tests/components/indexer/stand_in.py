"""A tiny model with the interface of the Trainer's SavedModel, for tests of serving."""

from __future__ import annotations

import json
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components.id_table import make_id_table
from components.indexer import export
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.scann_index import ScannIndex, ScannParams
from shortlist.config.features import FeatureType
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import catalogue

FEATURES = {"age": "numeric", "gender": "category", "tags": "multi_category", "joined": "timestamp"}
MAX_HISTORY = 5


def candidate_ids(size: int) -> list[str]:
    return sorted(f"item-{number}" for number in range(size))


class StandIn(tf.Module):
    """Query = embedding of the query id + mean of the latest history's embeddings + tiny feature terms."""

    def __init__(self, embeddings: np.ndarray, ids: list[str]):
        super().__init__()
        dim = embeddings.shape[1]
        # The last candidate is the most popular.
        self.candidate_counts = tf.Variable(np.arange(len(ids)), dtype=tf.int64)
        generator = np.random.default_rng(7)
        self.candidate_ids = tf.Variable(ids)
        self.candidate_embeddings = tf.Variable(embeddings.astype(np.float32))
        self.query_table = tf.Variable(generator.normal(size=(51, dim)).astype(np.float32))
        keys = tf.constant([f"user-{number}" for number in range(50)])
        self.query_rows = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, tf.range(50)), 50)
        self.rows = make_id_table(self.candidate_ids)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string)])
    def candidate_rows(self, ids):
        return self.rows.lookup(ids)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "query_id"),
            tf.TensorSpec([None, None], tf.string, "history_ids"),
            tf.TensorSpec([None, None], tf.int64, "history_times"),
            tf.TensorSpec([None], tf.int64, "query_time"),
            tf.TensorSpec([None], tf.float32, "age"),
            tf.TensorSpec([None], tf.string, "gender"),
            tf.TensorSpec([None, None], tf.string, "tags"),
            tf.TensorSpec([None], tf.int64, "joined"),
        ]
    )
    def query_embedding(self, query_id, history_ids, history_times, query_time, age, gender, tags, joined):
        rows = tf.reverse(self.rows.lookup(history_ids), [1])
        known = tf.cast(rows >= 0, tf.float32)
        latest = known * tf.cast(tf.cumsum(known, axis=1) <= MAX_HISTORY, tf.float32)
        vectors = tf.gather(self.candidate_embeddings, tf.maximum(rows, 0)) * latest[..., tf.newaxis]
        history = tf.reduce_sum(vectors, 1) / tf.maximum(tf.reduce_sum(latest, 1, keepdims=True), 1.0)
        user = tf.gather(self.query_table, self.query_rows.lookup(query_id))
        age = tf.where(tf.math.is_nan(age), 0.0, age)
        # The square of an age of 1e30 is infinite.
        extra = (
            tf.square(age) / 10_000
            + tf.cast(gender == "F", tf.float32)
            + tf.cast(joined + query_time > 0, tf.float32) / 10
        )
        extra += tf.reduce_sum(tf.cast(tags != "", tf.float32), axis=1) / 10
        extra += tf.cast(tf.reduce_sum(history_times, axis=1) > 0, tf.float32) / 10
        return {"embedding": user + history + 0.01 * extra[:, tf.newaxis]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "candidate_id")])
    def candidate_embedding(self, candidate_id):
        rows = self.rows.lookup(candidate_id)
        known = tf.cast(rows >= 0, tf.float32)[:, tf.newaxis]
        return {"embedding": tf.gather(self.candidate_embeddings, tf.maximum(rows, 0)) * known}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "candidate_id"), tf.TensorSpec([None], tf.float32, "price")]
    )
    def embed_candidates(self, candidate_id, price):
        known = self.rows.lookup(candidate_id) >= 0
        described = tf.where(tf.math.is_nan(price), 0.0, price)[:, tf.newaxis] * tf.ones(
            [1, self.candidate_embeddings.shape[1]]
        )
        return {"embedding": self.candidate_embedding(candidate_id)["embedding"] + described, "known": known}


class RequestStandIn(StandIn):
    """A stand-in that also reads a vector of the query, and an hour and a time of the request."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "query_id"),
            tf.TensorSpec([None, None], tf.string, "history_ids"),
            tf.TensorSpec([None, None], tf.int64, "history_times"),
            tf.TensorSpec([None], tf.int64, "query_time"),
            tf.TensorSpec([None, 2], tf.float32, "look"),
            tf.TensorSpec([None], tf.float32, "context_hour"),
            tf.TensorSpec([None], tf.int64, "context_since"),
        ]
    )
    def query_embedding(self, query_id, history_ids, history_times, query_time, look, context_hour, context_since):
        batch = tf.shape(query_id)[0]
        missing = tf.fill([batch], "")
        embedded = StandIn.query_embedding.python_function(
            self,
            query_id,
            history_ids,
            history_times,
            query_time,
            tf.where(tf.math.is_nan(context_hour), 0.0, context_hour),
            missing,
            missing[:, tf.newaxis],
            context_since,
        )
        shift = tf.reduce_sum(tf.where(tf.math.is_nan(look), 0.0, look), axis=1, keepdims=True)
        return {"embedding": embedded["embedding"] + shift}


def save_stand_in(
    path: pathlib.Path,
    size: int,
    dim: int = 8,
    embeddings: np.ndarray | None = None,
    kind: type[StandIn] = StandIn,
) -> pathlib.Path:
    """Writes the SavedModel of a corpus of `size` candidates, and returns its folder."""
    if embeddings is None:
        embeddings = np.random.default_rng(size).normal(size=(size, dim))
    model = kind(embeddings, candidate_ids(size))
    signatures = {name: getattr(model, name) for name in ("query_embedding", "candidate_embedding", "embed_candidates")}
    tf.saved_model.save(model, str(path), signatures=signatures)
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    trained = {"contract_version": 1, "query_features": FEATURES}
    if kind is RequestStandIn:
        context = {"hour": {"type": "numeric"}, "since": {"type": "timestamp"}}
        trained |= {
            "query_features": {"look": "vector"},
            "config": {"model": {"query_tower": {}}, "data": {"interaction_features": {"context": context}}},
        }
    (extra / "shortlist.json").write_text(json.dumps(trained))
    return path


def window(query_id: str, history: list[str], target: str, seen: list[str] | None = None) -> bytes:
    """Returns a serialized eval or test window."""

    def strings(*values: str) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    def integers(*values: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    feature = {
        "query_id": strings(query_id),
        "history_ids": strings(*history),
        "history_times": integers(*range(1, len(history) + 1)),
        "target_ids": strings(target),
        "target_times": integers(len(history) + 1),
        "target_weights": tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
        "seen_ids": strings(*sorted(set(seen if seen is not None else history))),
        "age": tf.train.Feature(float_list=tf.train.FloatList(value=[30.0])),
        "gender": strings("F"),
        "tags": strings("a", "b"),
        "joined": integers(),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_windows(root: pathlib.Path, ids: list[str], rows: int = 40, splits=("train", "eval", "test")) -> pathlib.Path:
    """Writes windows of random histories into `root/Split-<split>/`, and returns `root`.

    The other splits get an empty file unless they have one, as from the Windows node.
    """
    generator = np.random.default_rng(3)
    for split in {"train", "eval", "test"}.difference(splits):
        empty = root / f"Split-{split}" / "windows-00000-of-00001.gz"
        if not empty.exists():
            empty.parent.mkdir(parents=True)
            tf.io.TFRecordWriter(str(empty), "GZIP").close()
    for split in splits:
        folder = root / f"Split-{split}"
        folder.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(folder / "windows-00000-of-00001.gz"), "GZIP") as writer:
            for row in range(rows):
                history = [ids[pick] for pick in generator.integers(len(ids), size=generator.integers(0, 12))]
                target = ids[generator.integers(len(ids))]
                writer.write(window(f"user-{row}", history, target))
    return root


def write_catalogue(path: pathlib.Path, ids: list[str], tags: list, years: list) -> pathlib.Path:
    """Writes a catalogue with the attributes `tags` (strings) and `year` (a number), and returns its path."""
    kinds = {"tags": FeatureType.MULTI_CATEGORY, "year": FeatureType.NUMERIC}
    rows = [
        {"row": row, "id": item, "title": f"Title of <{item}>", "attribute_tags": tag, "attribute_year": year}
        for row, (item, tag, year) in enumerate(zip(ids, tags, years, strict=True))
    ]
    pq.write_table(pa.Table.from_pylist(rows, catalogue.schema("name", kinds)), path)
    return path


def save_both_models(
    root: pathlib.Path,
    trained_dir: pathlib.Path,
    k: int,
    max_exclusions: int,
    pool: int | None = None,
    catalogue_path: pathlib.Path | None = None,
    filters: tuple[str, ...] = ("tags", "year"),
) -> tuple[str, str]:
    """Exports a ScaNN model that searches all clusters and its exact copy, unmeasured; returns their folders.

    With a catalogue, they have its file and filters by its attributes.
    """
    trained = tf.saved_model.load(str(trained_dir))
    corpus = trained.candidate_embeddings
    params = ScannParams(num_leaves=4, leaves_to_search=4, dimensions_per_block=2, reorder=int(corpus.shape[0]))
    scann = ScannIndex(params, k, max_exclusions).index(corpus)
    indices = {
        "scann": scann.with_params(params, {2.5: params, 10.0: params}),
        "brute_force": ExactIndex(k=k).index(corpus),
    }
    if catalogue_path is None:
        filters = ()
    for kind, index in indices.items():
        folder = root / kind
        rules = None if catalogue_path is None else AttributeFilters.of(catalogue.Catalogue(catalogue_path), filters)
        model = export.ServedModel(trained, index, k, pool, rules)  # type: ignore[arg-type]
        export.save(model, str(trained_dir), str(folder))
        described = {"kind": kind, "k": k, "pool": pool or k, "filters": list(filters), "recall_at_k": 1.0}
        export.write_index_file(str(folder), described)
        if catalogue_path is not None:
            shutil.copy(catalogue_path, folder / CANDIDATES_FILE)
    return str(root / "scann"), str(root / "brute_force")
