"""A blessed model gets a catalogue in which one candidate is gone and two are new."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

from components.indexer import verdict
from components.refresh import component, executor
from shortlist.config.gate import Check
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.config.table import Candidates
from shortlist.errors import DataError
from shortlist.model_files import TOWERS_DIR
from shortlist.records import properties
from tests.components.baseline.test_reembed import write_model
from tests.components.trainer import tiny_dataset as worlds

FEATURES = {
    name: feature.model_dump(mode="json") for name, feature in worlds.features(worlds.CANDIDATE_FEATURES).items()
}


def artifact(kind, uri, number):
    made = kind()
    made.uri, made.id = str(uri), number
    return made


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    world = worlds.build(LeaveLastOut(), WindowsSection(max_history=4, max_targets=4))
    return write_model(world, worlds.settings(), tmp_path_factory.mktemp("earlier"))


def renamed(number, name):
    """Returns candidate `number` under another id."""
    example = tf.train.Example.FromString(worlds.candidate_row(number))
    example.features.feature["candidate_id"].bytes_list.value[:] = [name]
    return example.SerializeToString()


def refresh(folder, uri, reasons=(), gate=None, features=None):
    """Runs the node with a catalogue without c05, and with two new candidates like c19; returns model and blessing."""
    rows = [worlds.candidate_row(number) for number in range(worlds.NUM_CANDIDATES) if number != 5]
    rows += [renamed(19, b"new-1"), renamed(3, b"new-2")]
    (folder / "catalogue/Split-all").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "catalogue/Split-all/rows.gz"), "GZIP") as writer:
        for row in rows:
            writer.write(row)
    trained = artifact(standard_artifacts.Model, uri, 7)
    upstream = artifact(standard_artifacts.ModelBlessing, folder / "upstream", 8)
    verdict.give(upstream, trained, properties.OK, list(reasons))
    catalogue = artifact(standard_artifacts.Examples, folder / "catalogue", 9)
    catalogue.split_names = artifact_utils.encode_split_names(["all"])
    model = artifact(standard_artifacts.Model, folder / "model", 10)
    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing", 11)
    executor.Executor().Do(
        {"trained_model": [trained], "model_blessing": [upstream], "candidates": [catalogue]},
        {"model": [model], "blessing": [blessing]},
        {
            "features": executor.dump_features(FEATURES if features is None else features),
            "gate": (gate or Check(threshold=0.3)).model_dump_json(),
        },
    )
    return model, blessing


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory, earlier):
    return refresh(tmp_path_factory.mktemp("refreshed"), earlier)


@pytest.fixture(scope="module")
def models(earlier, refreshed):
    """Returns the earlier and the refreshed model, loaded."""
    return [tf.saved_model.load(f"{uri}/Format-Serving") for uri in (earlier, refreshed[0].uri)]


def embed(model, *history):
    return model.signatures["query_embedding"](
        query_id=tf.constant(["q03"]),
        history_ids=tf.constant([list(history)]),
        history_times=tf.constant([list(range(1, 1 + len(history)))], tf.int64),
        query_time=tf.constant([9], tf.int64),
        age=tf.constant([23.0]),
        bio=tf.constant(["likes G0"]),
        city=tf.constant(["town1"]),
        joined=tf.constant([1003], tf.int64),
        tags=tf.constant([["t0"]]),
    )["embedding"].numpy()


def test_the_counts_and_the_blessing_are_recorded(refreshed):
    model, blessing = refreshed
    recorded = json.loads(model.get_string_custom_property("refresh"))
    # 20 - 1 + 2 candidates.
    assert recorded == {"candidates": 21, "known": 19, "new": 2, "removed": 1, "refresh_of": 7}
    assert verdict.objections(blessing, model) == []
    described = json.loads(pathlib.Path(model.uri, "Format-Serving/assets.extra/shortlist.json").read_text())
    assert described["corpus_size"] == 21
    assert described["split_fingerprint"] == "split-1"


def test_known_candidates_keep_their_vectors_and_new_ones_have_those_of_their_features(models):
    before, after = models
    ids = [name.decode() for name in after.candidate_ids.numpy()]
    assert ids == sorted(ids)
    assert "c05" not in ids
    vectors = dict(zip(ids, after.candidate_embeddings.numpy(), strict=True))
    # c19 was in no interaction, so that its features are all that the model knows of it.
    for name, row in {"c03": 3, "c19": 19, "new-1": 19}.items():
        np.testing.assert_allclose(vectors[name], before.candidate_embeddings[row], rtol=1e-5, atol=1e-6)
    assert np.abs(vectors["new-2"] - vectors["c03"]).max() > 1e-3
    found = after.signatures["candidate_embedding"](candidate_id=tf.constant(["new-1", "c05"]))["embedding"]
    np.testing.assert_array_equal(found, [vectors["new-1"], np.zeros(8)])


def test_queries_are_embedded_as_before_and_new_candidates_count_in_histories(models):
    before, after = models
    np.testing.assert_allclose(embed(after, "c01", "c02"), embed(before, "c01", "c02"), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embed(after, "c01", "new-1"), embed(before, "c01", "c19"), rtol=1e-5, atol=1e-6)
    # The earlier model skips it; the refreshed one skips what is gone.
    np.testing.assert_allclose(embed(before, "c01", "new-1"), embed(before, "c01"), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embed(after, "c01", "c05"), embed(before, "c01"), rtol=1e-5, atol=1e-6)


def test_a_refreshed_model_describes_candidates_as_the_earlier_one_does(models):
    described = {
        "candidate_id": tf.constant(["c03", "newer"]),
        "title": tf.constant(["Title W3", ""]),
        "genres": tf.constant([["g0", "odd"], ["", ""]]),
        "year": tf.constant([1993.0, float("nan")]),
    }
    before, after = (model.signatures["embed_candidates"](**described) for model in models)
    np.testing.assert_array_equal(before["embedding"], after["embedding"])
    assert after["known"].numpy().tolist() == [True, False]


def test_a_catalogue_with_too_many_new_candidates_is_refused(tmp_path, earlier):
    # 2 of 21 are 9.5%.
    with pytest.raises(DataError, match=r"9\.5% of the catalogue, 2 candidates, are new .* allows 5%"):
        refresh(tmp_path / "refused", earlier, gate=Check(threshold=0.05))
    _, blessing = refresh(tmp_path / "warned", earlier, gate=Check(threshold=0.05, action="warn"))
    [warning] = json.loads(blessing.get_string_custom_property("warnings"))
    assert warning.startswith("9.5% of the catalogue")


def test_the_node_describes_features_as_the_model_does():
    # Where vectors are read is no part of a model. With it, no model with such a feature could be refreshed.
    vector = {"type": "vector", "dim": 2, "path": "vectors.npy", "ids": "ids.txt"}
    table = Candidates(path="items.csv", candidate_id="id", features={"genre": "category", "cover": vector})
    channels = (standard_artifacts.Model, standard_artifacts.ModelBlessing, standard_artifacts.Examples)
    inputs = [types.Channel(type=kind) for kind in channels]
    node = component.Refresh(*inputs, table, Check(threshold=0.3, action="error"))
    settings = dataclasses.replace(worlds.settings(), candidate_features=table.features)
    described = settings.to_json()["data"]["candidate_features"]
    assert node.exec_properties["features"] == executor.dump_features(described)


@pytest.mark.parametrize("obstacle", ["not blessed", "features", "towers"])
def test_reasons_not_to_refresh_are_recorded(tmp_path, earlier, obstacle):
    reasons, features, uri = ["too bad"] if obstacle == "not blessed" else [], None, earlier
    expected = "too bad"
    if obstacle == "features":
        features, expected = {}, "data.candidates.features differ from those of the model: []"
    if obstacle == "towers":
        uri, expected = tmp_path / "old", "an older version of Shortlist trained the model"
        (uri / "Format-Serving").mkdir(parents=True)
        assert not (uri / TOWERS_DIR).exists()
    model, blessing = refresh(tmp_path, uri, reasons, features=features)
    [reason] = verdict.reasons_of(blessing)
    assert reason.startswith(expected)
    assert blessing.get_string_custom_property("status") == "not_blessed"
    assert not pathlib.Path(model.uri).exists()
