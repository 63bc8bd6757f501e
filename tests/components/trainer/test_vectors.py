"""Features of type vector, from raw rows to served requests."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import queries
from components.transform import preprocessing
from components.windows import records, windowing
from shortlist import keys, splits
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.errors import BadInputError
from shortlist.serving.input_tensors import signature_inputs
from tests.components.trainer import tiny_dataset as worlds

_LOOK = {"look": {"type": "vector", "dim": 3, "missing": "zero"}}
_PROFILE = {"profile": {"type": "vector", "dim": 2, "missing": "zero"}}
_SIZES = WindowsSection(max_history=4, max_targets=4)


def _look(number):
    return [] if number == 4 else [float(number), 1.0, -0.5]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    root = tmp_path_factory.mktemp("vectors")
    by_split = {keys.SPLIT_TRAIN: [], keys.SPLIT_EVAL: [], keys.SPLIT_TEST: []}
    for number in range(6):
        rows = splits.sort_rows(worlds.interactions(number))
        row = worlds.example(profile=[] if number == 0 else [float(number), -1.0])
        for window in windowing.iter_windows(rows, splits.assign_splits(rows, LeaveLastOut()), LeaveLastOut(), _SIZES):
            by_split[window.split].append(records.encode(b"q%02d" % number, window, row, {"profile": 2 + 1}))
    catalogue = [worlds.example(candidate_id=[b"c%02d" % number], look=_look(number)) for number in range(20)]
    spec = {name: tf.io.VarLenFeature(tf.string) for name in (keys.QUERY_ID, keys.TARGET_IDS)}
    spec |= {keys.TARGET_TIMES: tf.io.VarLenFeature(tf.int64), keys.TARGET_WEIGHTS: tf.io.VarLenFeature(tf.float32)}
    spec["profile"] = tf.io.VarLenFeature(tf.float32)
    candidate_spec = {keys.CANDIDATE_ID: tf.io.VarLenFeature(tf.string), "look": tf.io.VarLenFeature(tf.float32)}
    world = worlds.World(
        windows={name: [worlds.write(root / f"{name}.gz", rows)] for name, rows in by_split.items()},
        candidates=[worlds.write(root / "candidates.gz", catalogue)],
        transform=worlds.analyze(by_split[keys.SPLIT_TRAIN], spec, preprocessing.queries_preprocessing_fn, _PROFILE),
        candidate_transform=worlds.analyze(catalogue, candidate_spec, preprocessing.candidates_preprocessing_fn, _LOOK),
    )
    settings = dataclasses.replace(
        worlds.settings(), query_features=worlds.features(_PROFILE), candidate_features=worlds.features(_LOOK)
    )
    model, reader, corpus = worlds.assemble(world, settings)
    worlds.shake(model)
    module = worlds.serving_module(world, model, reader, corpus, settings)
    path = str(root / "model")
    names = ("query_embedding", "embed_candidates", "candidate_embedding", "newcomer")
    tf.saved_model.save(module, path, signatures={name: getattr(module, name) for name in names})
    return types.SimpleNamespace(
        world=world, model=model, reader=reader, corpus=corpus, loaded=tf.saved_model.load(path)
    )


def test_values_stay_as_they_are_and_missing_ones_are_zero(bundle):
    # c04 has no vector.
    looks = bundle.corpus.features["look"]
    assert looks[:5].tolist() == [[0.0, 1.0, -0.5], [1.0, 1.0, -0.5], [2.0, 1.0, -0.5], [3.0, 1.0, -0.5], [0.0] * 3]
    records_ = worlds.read(bundle.world.windows["test"])
    batch = bundle.reader.eval_batch(tf.constant(records_))
    assert batch.features["profile"].numpy().tolist() == [[0.0, 0.0], *([float(row), -1.0] for row in range(1, 6))]


def test_requests_and_described_candidates_are_embedded_as_in_training(bundle):
    records_ = worlds.read(bundle.world.windows["test"])
    batch = bundle.reader.eval_batch(tf.constant(records_))
    candidates = bundle.model.embed_candidates()
    expected = bundle.model.embed_queries(
        batch.features, batch.history, candidates, batch.times, batch.clock, batch.item_features, batch.context
    )
    signature = bundle.loaded.signatures["query_embedding"]
    assert signature.structured_input_signature[1]["profile"].shape == [None, 2]
    rows = [queries.parse_window(record) for record in records_]
    np.testing.assert_allclose(queries.embed(signature, rows), expected, atol=1e-5)
    described = bundle.loaded.signatures["embed_candidates"]
    specs = described.structured_input_signature[1]
    given = [{"candidate_id": f"c{row:02d}", "look": _look(row)} for row in range(20)]
    embedded = described(**signature_inputs(specs, given))["embedding"]
    np.testing.assert_allclose(embedded, candidates, atol=1e-5)
    assert np.isfinite(bundle.loaded.signatures["newcomer"]()["embedding"].numpy()).all()
    with pytest.raises(BadInputError, match="look takes 3 numbers, or none; got 2"):
        signature_inputs(specs, [{"look": [1.0, 2.0]}])


def test_an_unknown_candidate_is_the_projection_of_its_vector(bundle):
    described = bundle.loaded.signatures["embed_candidates"]
    specs = described.structured_input_signature[1]

    def embed(look):
        return described(**signature_inputs(specs, [{"candidate_id": "new", "look": look}]))["embedding"].numpy()[0]

    nothing, one, two = embed([]), embed([1.0, 0.0, 0.0]), embed([0.0, 2.0, 0.0])
    np.testing.assert_allclose(embed([1.0, 2.0, 0.0]), one + two, atol=1e-6)
    assert not nothing.any()
