"""An earlier model with a changed catalogue: some candidates are new to it, others are gone."""

import copy
import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types import artifact_utils, standard_artifacts

from components.baseline import executor
from components.evaluator.rank_metrics import NO_HIT, NOT_RANKED
from components.trainer import portable
from components.trainer.export import export
from shortlist import keys
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.model_files import TOWERS_DIR
from tests.components.trainer import tiny_dataset as worlds

_RANKS = [keys.RANK, keys.RANK_WITH_SEEN, keys.POPULARITY_RANK, keys.POPULARITY_RANK_WITH_SEEN]


@pytest.fixture(scope="module")
def world():
    return worlds.build(LeaveLastOut(), WindowsSection(max_history=4, max_targets=4))


def write_model(world, settings, uri, by_hand=lambda model: None):
    """Writes a Trainer's artifact of an untrained model."""
    model, reader, corpus = worlds.assemble(world, settings)
    by_hand(model)
    module = worlds.serving_module(world, model, reader, corpus, settings)
    export(module, f"{uri}/Format-Serving", settings, corpus, "split-1", {"epochs": 0})
    transform = tft.TFTransformOutput(world.candidate_transform)
    portable.PortableTowers(model, reader, corpus, settings, transform).save(f"{uri}/{TOWERS_DIR}")
    return str(uri)


def run(folder, baseline_uri, rows, **changed):
    """Compares a model with another whose catalogue has `rows`; returns the Baseline node's output."""
    candidate = folder / "candidate/Format-Serving/assets.extra/shortlist.json"
    candidate.parent.mkdir(parents=True)
    described = json.loads(tf.io.gfile.GFile(f"{baseline_uri}/Format-Serving/assets.extra/shortlist.json").read())
    candidate.write_text(json.dumps(described | changed))
    (folder / "catalogue/Split-all").mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "catalogue/Split-all/rows.gz"), "GZIP") as writer:
        for row in rows:
            writer.write(row)
    output = artifact(standard_artifacts.Model, folder / "output")
    catalogue = artifact(standard_artifacts.Examples, folder / "catalogue")
    catalogue.split_names = artifact_utils.encode_split_names(["all"])
    inputs = {
        "candidate": [artifact(standard_artifacts.Model, folder / "candidate")],
        "baseline": [artifact(standard_artifacts.Model, baseline_uri)],
        "catalogue": [catalogue],
    }
    executor.Executor().Do(inputs, {"model": [output]}, {})
    return output


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


def ranks(uri, records):
    loaded = tf.saved_model.load(f"{uri}/Format-Serving")
    return {name: value.numpy().tolist() for name, value in loaded.signatures["evaluation"](examples=records).items()}


def window(target, seen=(), history=()):
    return worlds.example(
        query_id=[b"q01"],
        history_ids=list(history),
        history_times=list(range(1, len(history) + 1)),
        target_ids=[target],
        target_times=[100],
        target_weights=[1.0],
        seen_ids=list(seen),
    )


def candidate(candidate_id, year):
    return worlds.example(candidate_id=[candidate_id], title=[], genres=[], year=[year])


def test_ranks_in_a_changed_catalogue_by_hand(world, tmp_path):
    # A candidate scores its number, plus 100 times the z-score of its year; the old ones have no year.
    settings = dataclasses.replace(
        worlds.settings(model={"query_tower": {"kind": "features", "use_query_id": False}, "embedding_dim": 2}),
        query_features={},
        candidate_features=worlds.features({"year": {"type": "numeric"}}),
    )

    def by_hand(model):
        weights = {weight.name.partition(":")[0]: weight for weight in model.trainable_variables}
        weights["any_query"].assign([[1.0, 0.0]])
        # c19 is no train target: it has no number.
        weights["candidate_id_embedding"].assign([[float(number), 0.0] for number in range(19)])
        weights["year_embedding"].assign([[100.0, 0.0]])

    uri = write_model(world, settings, tmp_path / "earlier", by_hand)
    # Gone: c05 to c19. New: "new", far above the mean year and hence all others; "old", far below.
    rows = [worlds.example(candidate_id=[b"c%02d" % number]) for number in range(5)]
    rows += [candidate(b"new", 3000.0), candidate(b"old", 1000.0)]
    output = run(tmp_path, uri, rows, catalogue_sha256="0" * 64)
    assert output.get_int_custom_property("skipped") == 0
    assert output.get_string_custom_property("catalogue_changed") == "2 candidates new to it, 15 of its own gone"

    # Best first: new, c04, c03, c02, c01, c00, old.
    records = tf.constant(
        [
            window(b"new"),
            window(b"c04"),
            window(b"c02", seen=[b"c04", b"new", b"c01"]),
            window(b"old", seen=[b"c17"]),
            window(b"c17"),
        ]
    )
    result = ranks(output.uri, records)
    # c17 is in this corpus no more: a hit at no K.
    assert result[keys.RANK_WITH_SEEN] == [1, 2, 4, 7, NO_HIT]
    assert result[keys.RANK] == [1, 2, 2, 7, NO_HIT]
    # Both new ones have no train target and tie in the last two places.
    assert (result[keys.POPULARITY_RANK_WITH_SEEN][0], result[keys.POPULARITY_RANK_WITH_SEEN][3]) == (7, 7)


def _all_rows():
    return [worlds.candidate_row(number) for number in range(worlds.NUM_CANDIDATES)]


@pytest.fixture(scope="module")
def earlier(world, tmp_path_factory):
    settings = worlds.settings(model={"candidate_tower": {"hidden_units": [8]}})
    folder = tmp_path_factory.mktemp("earlier")
    return write_model(world, settings, folder, lambda model: worlds.shake(model.query_tower))


def test_in_its_own_catalogue_it_ranks_as_it_did(world, earlier, tmp_path):
    # One history has an item that the catalogue lacks, whose time must not become its neighbour's.
    unknown = window(b"c04", history=[b"c01", b"nowhere", b"c02"])
    records = tf.constant([*worlds.read(world.windows["test"]), unknown])
    before = ranks(earlier, records)
    assert sorted(before) == sorted(_RANKS)

    copied = run(tmp_path / "same", earlier, _all_rows())
    assert not copied.has_custom_property("catalogue_changed")
    assert ranks(copied.uri, records) == before

    # The same catalogue under another fingerprint is embedded anew, to the same ranks.
    output = run(tmp_path / "output", earlier, _all_rows(), catalogue_sha256="0" * 64)
    assert output.get_string_custom_property("catalogue_changed") == "0 candidates new to it, 0 of its own gone"
    assert ranks(output.uri, records) == before


def test_ranks_of_an_older_definition_are_taken_anew_in_the_same_catalogue(world, earlier, tmp_path):
    records = tf.constant([*worlds.read(world.windows["test"]), window(b"c04", seen=[b"c04"])])
    older = tmp_path / "older"
    shutil.copytree(earlier, older)
    described = older / "Format-Serving/assets.extra/shortlist.json"
    metadata = json.loads(described.read_text())
    assert metadata.pop("ranks_version") == 2
    described.write_text(json.dumps(metadata))
    output = run(tmp_path / "anew", older, _all_rows(), ranks_version=2)
    assert not output.has_custom_property("catalogue_changed")
    # Only what ranks is written, and ranks by today's definition.
    assert not pathlib.Path(output.uri, "Format-Serving/assets.extra").exists()
    found = ranks(output.uri, records)
    assert found == ranks(earlier, records)
    assert found[keys.RANK][-1] == NOT_RANKED

    shutil.rmtree(older / TOWERS_DIR)
    skipped = run(tmp_path / "skipped", older, _all_rows(), ranks_version=2)
    assert skipped.get_string_custom_property("reason").startswith("its ranks are defined differently, and an older")


def test_a_candidate_that_is_new_to_it_counts_in_a_history_by_its_features(earlier, tmp_path):
    twin = tf.train.Example.FromString(worlds.candidate_row(19))
    twin.features.feature[keys.CANDIDATE_ID].bytes_list.value[:] = [b"c99"]
    output = run(tmp_path, earlier, [*_all_rows(), twin.SerializeToString()], catalogue_sha256="0" * 64)
    # c19 was never a train target, so that c99, of the same features, is the same to the model.
    towers = tf.saved_model.load(f"{earlier}/{TOWERS_DIR}")
    result = towers.signatures[portable.EMBED_CATALOGUE](
        examples=tf.constant([worlds.candidate_row(19), twin.SerializeToString(), worlds.candidate_row(3)])
    )
    np.testing.assert_array_equal(result[keys.EMBEDDING][0], result[keys.EMBEDDING][1])
    assert result[keys.KNOWN].numpy().tolist() == [True, False, True]
    records = tf.constant([window(b"c02", history=[b"c01", name]) for name in (b"c19", b"c99", b"nowhere")])
    first, second, without = ranks(output.uri, records)[keys.RANK_WITH_SEEN]
    assert first == second
    assert 1 <= without <= 21


def _with_query_feature(described, name):
    """Returns a config in which the queries have one feature more."""
    config = copy.deepcopy(described["config"])
    config["data"]["query_features"][name] = {"type": "numeric", "max_vocabulary": 20_000}
    return {"config": config, "features_sha256": "1" * 64}


def test_a_model_is_compared_on_its_own_features_if_one_was_added(world, earlier, tmp_path):
    described = json.loads(pathlib.Path(earlier, "Format-Serving/assets.extra/shortlist.json").read_text())
    output = run(tmp_path, earlier, _all_rows(), **_with_query_feature(described, "height"))
    assert output.get_int_custom_property("skipped") == 0
    assert output.get_string_custom_property("features_changed") == "it does not read height of queries"
    # Today's rows have the new feature, which changes none of its ranks.
    records = worlds.read(world.windows["test"])
    assert ranks(output.uri, tf.constant([_with_value(record, "height") for record in records])) == ranks(
        earlier, tf.constant(records)
    )


def _with_value(record, name):
    example = tf.train.Example.FromString(record)
    example.features.feature[name].float_list.value[:] = [1.75]
    return example.SerializeToString()


def test_a_model_is_compared_on_its_own_features_in_a_catalogue_with_one_more(earlier, tmp_path):
    records = tf.constant([window(b"c02", history=[b"c01"])])
    described = json.loads(pathlib.Path(earlier, "Format-Serving/assets.extra/shortlist.json").read_text())
    config = copy.deepcopy(described["config"])
    config["data"]["candidate_features"]["price"] = {"type": "numeric", "max_vocabulary": 20_000}
    rows = [_with_value(row, "price") for row in _all_rows()]
    changed = {"config": config, "features_sha256": "1" * 64, "catalogue_sha256": "0" * 64}
    output = run(tmp_path, earlier, rows, **changed)
    assert output.get_string_custom_property("features_changed") == "it does not read price of candidates"
    assert ranks(output.uri, records) == ranks(earlier, records)


def test_a_model_is_not_compared_if_a_feature_of_it_was_dropped(earlier, tmp_path):
    described = json.loads(pathlib.Path(earlier, "Format-Serving/assets.extra/shortlist.json").read_text())
    config = copy.deepcopy(described["config"])
    dropped = sorted(config["data"]["query_features"])[0]
    del config["data"]["query_features"][dropped]
    output = run(tmp_path, earlier, _all_rows(), config=config, features_sha256="1" * 64)
    assert output.get_int_custom_property("skipped") == 1
    assert output.get_string_custom_property("reason") == (
        f"its features differ: it reads {dropped} of queries, which today's rows do not have as it knows them"
    )


def test_another_split_is_not_compared_whatever_the_catalogue(earlier, tmp_path):
    changed = {"catalogue_sha256": "0" * 64, "split_fingerprint": "split-2"}
    output = run(tmp_path, earlier, _all_rows(), **changed)
    assert output.get_int_custom_property("skipped") == 1
    assert output.get_string_custom_property("reason") == "its split differs: split-1, not split-2"
