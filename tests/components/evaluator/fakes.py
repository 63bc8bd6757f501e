"""Windows and trained models with ranks that a test chooses."""

import json
import pathlib

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluator import rank_metrics
from components.windows.schema import windows_schema
from shortlist import keys

OUTPUTS = (keys.RANK, keys.RANK_WITH_SEEN, keys.POPULARITY_RANK, keys.POPULARITY_RANK_WITH_SEEN)

SCHEMA = windows_schema({"gender": schema_pb2.BYTES})


def window(query_id, ranks, gender=None, target="e"):
    """A test window; its `history_times` hold the four ranks that `FakeModel` returns."""

    def strings(*values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    def integers(*values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    feature = {
        keys.QUERY_ID: strings(query_id),
        keys.HISTORY_IDS: strings("a", "b", "c", "d"),
        keys.HISTORY_TIMES: integers(*ranks),
        keys.TARGET_IDS: strings(target),
        keys.TARGET_TIMES: integers(5),
        keys.TARGET_WEIGHTS: tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])),
        keys.SEEN_IDS: strings(),
        "gender": strings(*([gender] if gender else [])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


def write_windows(windows, path):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for serialized in windows:
            writer.write(serialized)


def write_candidates(folder, genres):
    """Writes flat candidates, from genres by id; a candidate may have no genre."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for candidate, values in genres.items():
            feature = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode() for text in texts]))
                for name, texts in ((keys.CANDIDATE_ID, [candidate]), ("genres", values), ("title", ["It"]))
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


class FakeModel(tf.Module):
    """Returns a window's own ranks, the model's worsened by `shift`."""

    def __init__(self, shift=0):
        super().__init__()
        self.shift = tf.Variable(shift, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluation(self, examples):
        spec = {keys.HISTORY_TIMES: tf.io.FixedLenFeature([4], tf.int64)}
        ranks = tf.io.parse_example(examples, spec)[keys.HISTORY_TIMES]
        shifts = tf.stack([self.shift, self.shift, 0, 0])
        shifted = tf.where(ranks == rank_metrics.NOT_RANKED, ranks, ranks + shifts)
        return dict(zip(OUTPUTS, tf.unstack(shifted, axis=1), strict=True))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def slices(self, examples):
        """The slice `history_length` depends on whether the query's id has two letters or fewer."""
        spec = {
            keys.QUERY_ID: tf.io.FixedLenFeature([], tf.string),
            keys.HISTORY_TIMES: tf.io.FixedLenFeature([4], tf.int64),
        }
        parsed = tf.io.parse_example(examples, spec)
        is_short = tf.strings.length(parsed[keys.QUERY_ID]) <= 2
        is_seen = parsed[keys.HISTORY_TIMES][:, 0] == rank_metrics.NOT_RANKED
        return {
            "history_length": tf.where(is_short, "short", "long"),
            "target_popularity": tf.fill(tf.shape(examples), "head"),
            "target_seen_before": tf.where(is_seen, "yes", "no"),
        }


def save_model(model_uri, shift=0, **metadata):
    """Writes a Trainer's `model` artifact."""
    path = pathlib.Path(model_uri) / "Format-Serving"
    model = FakeModel(shift)
    tf.saved_model.save(model, str(path), signatures={"evaluation": model.evaluation, "slices": model.slices})
    described = {
        "contract_version": 1,
        "split_fingerprint": "s" * 64,
        "catalogue_sha256": "c" * 64,
        "features_sha256": "f" * 64,
        **metadata,
    }
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / "shortlist.json").write_text(json.dumps(described))
