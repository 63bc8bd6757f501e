"""A tiny dataset on disk: windows, a catalogue and the two transform graphs, made by the product's own code."""

import dataclasses
import functools
import math
import pathlib
import tempfile

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import beam as tft_beam

from components.trainer.bundle import Inputs, ModelBundle
from components.trainer.corpus import raw_feature_spec
from components.trainer.export import ServingModule
from components.trainer.settings import Settings
from components.trainer.team import ALONE
from components.transform import preprocessing
from components.windows import records, windowing
from shortlist import keys, splits
from shortlist.config.features import Feature
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.model import Model
from shortlist.config.split import Random, WindowsSection
from shortlist.config.train import Train

QUERY_FEATURES = {
    "age": {"type": "numeric"},
    "bio": {"type": "text"},
    "city": {"type": "category"},
    "joined": {"type": "timestamp"},
    "tags": {"type": "multi_category"},
}
CANDIDATE_FEATURES = {"title": {"type": "text"}, "genres": {"type": "multi_category"}, "year": {"type": "numeric"}}
# Features of the log's rows: those of the history, and those that a request knows.
INTERACTIONS = InteractionFeatures(
    history={"event": {"type": "category"}, "rating": {"type": "numeric"}},
    context={"device": {"type": "category"}, "hour": {"type": "numeric"}},
)
# Settings of the towers. With loss in_batch, each replica has random numbers of its own.
WITH_DROPOUT = {
    "query_tower": {"kind": "history", "blocks": 1, "dropout": 0.3},
    "candidate_tower": {"dropout": 0.1, "id_dropout": 0.1},
}
WITHOUT_DROPOUT = {
    "query_tower": {
        "kind": "history",
        "blocks": 1,
        "dropout": 0.0,
        "cold_start_fraction": 0.0,
        "time_intervals": False,
    },
    "candidate_tower": {"dropout": 0.0, "id_dropout": 0.0},
}
NUM_CANDIDATES = 20
NUM_QUERIES = 30
SEED = (1, 2)  # of a train batch
UNSEEN = b"c19"  # in the catalogue, in no interaction
_KINDS = {tf.string: schema_pb2.BYTES, tf.float32: schema_pb2.FLOAT, tf.int64: schema_pb2.INT}


@dataclasses.dataclass(frozen=True)
class World:
    """Paths of the tiny dataset's files."""

    windows: dict[str, list[str]]
    candidates: list[str]
    transform: str
    candidate_transform: str


def feature(value):
    """Returns a tf.train.Feature with a list of bytes, floats or ints."""
    if not value:
        return tf.train.Feature()
    if isinstance(value[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))
    if isinstance(value[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=value))


def example(**values):
    """Returns a serialized example whose features are the given lists."""
    features = {name: feature(value) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def _ids(items):
    return [b"c%02d" % item for item in items]


def window(history=(), times=(), targets=(), target_times=(), seen=(), query_id=b"q01"):
    """Returns a serialized window in which item n is candidate cn; the catalogue ends at 19."""
    return example(
        query_id=[query_id],
        history_ids=_ids(history),
        history_times=list(times or range(len(history))),
        target_ids=_ids(targets),
        target_times=list(target_times or range(100, 100 + len(targets))),
        target_weights=[1.0 + place for place in range(len(targets))],
        seen_ids=_ids(seen),
        city=[b"town1"],
    )


def candidate_row(number):
    """Returns a candidate: the title has two words, odd numbers have two genres, multiples of five lack the year."""
    return example(
        candidate_id=[b"c%02d" % number],
        title=[b"Title W%d" % (number % 4)],
        genres=[b"g%d" % (number % 3), b"odd"] if number % 2 else [b"g%d" % (number % 3)],
        year=[] if number % 5 == 0 else [1990.0 + number],
    )


def query_row(number):
    """Returns a query's features; every fourth query lacks age, tags and bio."""
    bare = number % 4 == 0
    return example(
        age=[] if bare else [20.0 + number],
        bio=[] if bare else [b"likes G%d" % (number % 3)],
        city=[b"town%d" % (number % 2)],
        joined=[1_000 + number],
        tags=[] if bare else [b"t0", b"t%d" % (number % 3)],
    )


def interactions(number):
    """Returns query n's interactions: candidates n, n + 1, ... or n, n + 2, ..., two per time step."""
    step = 1 + number % 2
    walk = [(number + step * place) % (NUM_CANDIDATES - 1) for place in range(8)]
    return [
        splits.Interaction(
            100 + place // 2,
            0,
            b"interactions.csv",
            10 * number + place,
            b"c%02d" % item,
            1.0,
            row_features(item, place),
        )
        for place, item in enumerate(walk)
    ]


def row_features(item, place):
    """Returns device, event, hour and rating of a row; each is missing in some rows."""
    return (
        b"" if item % 5 == 0 else b"device%d" % (item % 2),
        b"" if item % 7 == 0 else b"event%d" % (item % 3),
        math.nan if item % 6 == 0 else float(place),
        math.nan if item % 4 == 0 else float(item % 5),
    )


@functools.cache
def build(split, sizes, logged=False, queries=NUM_QUERIES, rows_each=8):
    """Writes windows, candidates and both transform graphs, once per process, and returns their paths.

    With `logged`, the windows have the features of the log's rows. Of each of the first `queries` queries, the log has
    the first `rows_each` interactions.
    """
    used = INTERACTIONS if logged else InteractionFeatures()
    root = pathlib.Path(tempfile.mkdtemp())
    rows = {number: splits.sort_rows(interactions(number))[:rows_each] for number in range(queries)}
    cuts = None
    if isinstance(split, Random):
        cuts = splits.random_cuts([row for query in rows.values() for row in query], split.seed)
    types_by_name = {name: _KINDS[spec.dtype] for name, spec in raw_feature_spec(features(QUERY_FEATURES)).items()}
    by_split = {keys.SPLIT_TRAIN: [], keys.SPLIT_EVAL: [], keys.SPLIT_TEST: []}
    for number, query in rows.items():
        for window in windowing.iter_windows(query, splits.assign_splits(query, split, cuts), split, sizes):
            record = records.encode(b"q%02d" % number, window, query_row(number), types_by_name, used)
            by_split[window.split].append(record)
    catalogue = [candidate_row(number) for number in reversed(range(NUM_CANDIDATES))]
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.QUERY_ID, keys.TARGET_IDS)}
    spec |= {keys.TARGET_TIMES: tf.io.VarLenFeature(tf.int64), keys.TARGET_WEIGHTS: tf.io.VarLenFeature(tf.float32)}
    spec |= raw_feature_spec(features(QUERY_FEATURES))
    spec |= raw_feature_spec({keys.CONTEXT_FEATURE + name: feature for name, feature in used.read.items()})
    candidate_spec = {keys.CANDIDATE_ID: tf.io.VarLenFeature(tf.string)}
    candidate_spec |= raw_feature_spec(features(CANDIDATE_FEATURES))
    return World(
        windows={name: [write(root / f"{name}.gz", records_)] for name, records_ in by_split.items()},
        candidates=[write(root / "candidates.gz", catalogue)],
        transform=analyze(by_split["train"], spec, preprocessing.queries_preprocessing_fn, QUERY_FEATURES, used.read),
        candidate_transform=analyze(
            catalogue, candidate_spec, preprocessing.candidates_preprocessing_fn, CANDIDATE_FEATURES
        ),
    )


def features(declared):
    """Returns the typed features of a plain declaration."""
    return {name: Feature.model_validate(value) for name, value in declared.items()}


def settings(sizes=None, split="leave_last_out", interactions=None, **sections):
    """Returns settings with the dataset's features; `model=` and `train=` are plain dicts.

    `interactions` are the features of the log's rows that the model reads; none by default.
    """
    interactions = interactions or InteractionFeatures()
    # Tracing a second block takes as long as all the rest; test_towers.py has one.
    tower = {"kind": "history", "blocks": 1, "history_features": list(interactions.history)}
    return Settings(
        model=Model.model_validate({"embedding_dim": 8, "query_tower": tower, **sections.get("model", {})}),
        train=Train.model_validate({"epochs": 2, "batch_size": 8, **sections.get("train", {})}),
        query_features=features(QUERY_FEATURES),
        candidate_features=features(CANDIDATE_FEATURES),
        windows=sizes or WindowsSection(max_history=4, max_targets=4),
        split_kind=split,
        interactions=interactions,
    )


def untrained(world, settings_, team=ALONE):
    """Returns (model, reader, corpus) as a training finds them; the weights depend on the seed alone."""
    inputs = Inputs(world.candidates, world.candidate_transform, world.transform)
    bundle = ModelBundle.read(settings_, inputs, team)
    return bundle.model, bundle.reader, bundle.corpus


def assemble(world, settings_, team=ALONE):
    """Returns the result of `untrained` with blocks that depend on the history, as after the first training step."""
    model, reader, corpus = untrained(world, settings_, team)
    for number, weight in enumerate(model.query_tower.trainable_weights):
        if "kernel" in weight.name and not tf.math.count_nonzero(weight):
            weight.assign(tf.random.stateless_normal(weight.shape, (number, 2), stddev=0.3))
    return model, reader, corpus


def shake(layer):
    """Adds noise to every weight, because biases and some tables are zero before training."""
    for number, weight in enumerate(layer.trainable_weights):
        weight.assign_add(tf.random.stateless_normal(weight.shape, (number, 1), stddev=0.3))


def transform_output(world):
    """Returns the windows' transform graph."""
    return tft.TFTransformOutput(world.transform)


def serving_module(world, model, reader, corpus, settings_):
    """Returns the module that the Trainer exports."""
    return ServingModule(model, reader, corpus, settings_, tft.TFTransformOutput(world.candidate_transform))


def read(files):
    """Returns the serialized records of gz TFRecord files."""
    return [record.numpy() for record in tf.data.TFRecordDataset(files, compression_type="GZIP")]


def write(path, rows):
    """Writes a gz TFRecord file and returns its path."""
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in rows:
            writer.write(row)
    return str(path)


def analyze(serialized, spec, function, declared, interaction_features=None):
    """Writes the transform graph of a preprocessing function and returns its path."""
    config = {
        "features": declared,
        "interaction_features": {
            name: feature_.model_dump(mode="json") for name, feature_ in (interaction_features or {}).items()
        },
    }
    rows = []
    for text in serialized:
        columns = tf.train.Example.FromString(text).features.feature
        kinds = {tf.string: "bytes_list", tf.float32: "float_list", tf.int64: "int64_list"}
        rows.append({name: list(getattr(columns[name], kinds[column.dtype]).value) for name, column in spec.items()})
    path = tempfile.mkdtemp()
    with tft_beam.Context(temp_dir=tempfile.mkdtemp()):
        metadata = tft.DatasetMetadata.from_feature_spec(spec)
        analyzed = (rows, metadata) | tft_beam.AnalyzeDataset(lambda inputs: function(inputs, config))
        _ = analyzed | tft_beam.WriteTransformFn(path)
    return path
