"""What a model learns from the features of a log's rows, by training it."""

import dataclasses
import pathlib
import random

import pytest
import tensorflow as tf

from components.trainer import training
from components.transform import preprocessing
from components.windows import records, windowing
from shortlist import keys, splits
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.split import LeaveLastOut, WindowsSection
from tests.components.trainer import tiny_dataset as worlds

pytestmark = pytest.mark.slow

_EVENTS, _ITEMS_PER_EVENT, _QUERIES, _LENGTH = 8, 5, 200, 14
_SIZES = WindowsSection(max_history=_LENGTH, max_targets=_LENGTH)


def _log(is_known):
    """Returns rows by query: each row's event decides the group of five items from which the next item is drawn.

    With `is_known`, the event decides the item of its own row instead.
    """
    draw, log = random.Random(1), {}
    for query in range(_QUERIES):
        rows, group = [], draw.randrange(_EVENTS)
        for place in range(_LENGTH):
            event = draw.randrange(_EVENTS)
            item = _ITEMS_PER_EVENT * (event if is_known else group) + draw.randrange(_ITEMS_PER_EVENT)
            values = (b"event%d" % event,)
            rows.append(
                splits.Interaction(100 + place, 0, b"log", query * _LENGTH + place, b"c%02d" % item, 1.0, values)
            )
            group = event
        log[query] = rows
    return log


def _world(root, log, used):
    by_split = {keys.SPLIT_TRAIN: [], keys.SPLIT_EVAL: [], keys.SPLIT_TEST: []}
    for query, rows in log.items():
        names = splits.assign_splits(rows, LeaveLastOut())
        for window in windowing.iter_windows(rows, names, LeaveLastOut(), _SIZES):
            by_split[window.split].append(records.encode(b"q%03d" % query, window, None, {}, used))
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.QUERY_ID, keys.TARGET_IDS, "context_event")}
    spec |= {keys.TARGET_TIMES: tf.io.VarLenFeature(tf.int64), keys.TARGET_WEIGHTS: tf.io.VarLenFeature(tf.float32)}
    catalogue = [worlds.example(candidate_id=[b"c%02d" % item]) for item in range(_EVENTS * _ITEMS_PER_EVENT)]
    candidate_spec = {keys.CANDIDATE_ID: tf.io.VarLenFeature(tf.string)}
    return worlds.World(
        windows={name: [worlds.write(root / f"{name}.gz", rows)] for name, rows in by_split.items()},
        candidates=[worlds.write(root / "candidates.gz", catalogue)],
        transform=worlds.analyze(
            by_split[keys.SPLIT_TRAIN], spec, preprocessing.queries_preprocessing_fn, {}, used.read
        ),
        candidate_transform=worlds.analyze(catalogue, candidate_spec, preprocessing.candidates_preprocessing_fn, {}),
    )


def _hit_rate(world, root, interactions):
    settings = worlds.settings(
        sizes=_SIZES,
        interactions=interactions,
        model={"embedding_dim": 16},
        train={"epochs": 30, "batch_size": 32, "learning_rate": 0.01, "patience": 100},
    )
    settings = dataclasses.replace(settings, query_features={}, candidate_features={})
    model, reader, corpus = worlds.assemble(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    found = training.fit(model, reader, files, settings, int(corpus.counts.sum()), str(root), str(root / "saved"))
    return found["best_top_10"]


@pytest.mark.parametrize("part", ["history", "context"])
def test_a_feature_that_alone_tells_the_item_doubles_the_hit_rate(tmp_path: pathlib.Path, part):
    used = InteractionFeatures.model_validate({part: {"event": {"type": "category"}}})
    world = _world(tmp_path, _log(is_known=part == "context"), used)
    without = _hit_rate(world, tmp_path / "without", InteractionFeatures())
    with_feature = _hit_rate(world, tmp_path / "with", used)
    # 10 of 40 items are 0.25 by chance. A known event leaves five items, all of them in the best ten.
    assert with_feature > 2 * without, (with_feature, without)
    assert with_feature > 0.8
