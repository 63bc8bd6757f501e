"""Features whose names Python, Keras or TensorFlow use too: trained, exported, indexed and asked."""

from __future__ import annotations

import pytest
import tensorflow as tf

from components.indexer import export as index_export
from components.indexer.exact import ExactIndex
from components.trainer import training
from components.trainer.export import export
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.serving.client import Recommender
from tests.components.trainer import tiny_dataset as worlds

# The config refuses `self` and names that differ in case alone, see tests/shortlist/config.
QUERIES = {name: {"type": "numeric"} for name in ("class", "None", "training", "name", "inputs", "args", "kwargs")}
QUERIES |= {"cancellation_manager": {"type": "numeric"}, "q" * 100: {"type": "category"}}
CANDIDATES = {name: {"type": "numeric"} for name in ("class", "training", "call")} | {"c" * 100: {"type": "category"}}


def row(declared, number, **more):
    """Returns an example with a value of each declared feature."""
    values = {name: [number + 0.5] if kind["type"] == "numeric" else [b"v"] for name, kind in declared.items()}
    features = {name: worlds.feature(value) for name, value in {**values, **more}.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr(worlds, "QUERY_FEATURES", QUERIES)
    monkeypatch.setattr(worlds, "CANDIDATE_FEATURES", CANDIDATES)
    monkeypatch.setattr(worlds, "query_row", lambda number: row(QUERIES, number))
    monkeypatch.setattr(
        worlds, "candidate_row", lambda number: row(CANDIDATES, number, candidate_id=[b"c%02d" % number])
    )
    # Not the cached function: other tests of this process use the usual features.
    return worlds.build.__wrapped__(LeaveLastOut(), WindowsSection(max_history=4, max_targets=4))


@pytest.mark.slow
def test_from_training_to_an_answer(world, tmp_path):
    settings = worlds.settings(train={"epochs": 1})
    model, reader, corpus = worlds.assemble(world, settings)
    files = training.Files(train=world.windows["train"], eval=world.windows["eval"])
    count = int(corpus.counts.sum())
    training.fit(model, reader, files, settings, count, str(tmp_path / "run"), str(tmp_path / "checkpoints"))
    export(
        worlds.serving_module(world, model, reader, corpus, settings),
        str(tmp_path / "trained"),
        settings,
        corpus,
        "s",
        {},
    )
    trained = tf.saved_model.load(str(tmp_path / "trained"))
    windows = tf.constant(worlds.read(world.windows["test"]))
    assert trained.signatures["evaluation"](examples=windows)["rank"].shape == [len(windows)]

    served = index_export.ServedModel(trained, ExactIndex(k=5).index(trained.candidate_embeddings), 5)
    index_export.save(served, str(tmp_path / "trained"), str(tmp_path / "served"))
    index_export.write_index_file(str(tmp_path / "served"), {"kind": "brute_force", "k": 5})
    recommender = Recommender(tmp_path / "served")
    assert recommender.query_features == sorted(QUERIES)
    without = recommender.recommend("q01", ["c01"], 3)
    for name, kind in QUERIES.items():
        value = 29.0 if kind["type"] == "numeric" else "v"
        answer = recommender.recommend("q01", ["c01"], 3, query_features={name: value})
        assert len(answer) == 3
        assert answer[0].score != without[0].score, name
