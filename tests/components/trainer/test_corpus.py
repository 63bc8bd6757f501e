import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.trainer.corpus import load_corpus
from shortlist.errors import DataError
from tests.components.trainer import tiny_dataset as worlds


def _load(world, tmp_path, rows):
    path = str(tmp_path / "candidates.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in rows:
            writer.write(row)
    return load_corpus(
        [path],
        worlds.features(worlds.CANDIDATE_FEATURES),
        tft.TFTransformOutput(world.candidate_transform),
        tft.TFTransformOutput(world.transform),
    )


def test_rows_are_sorted_by_id_and_features_follow(trained):
    corpus = trained[2]
    assert corpus.ids.tolist() == [b"c%02d" % number for number in range(worlds.NUM_CANDIDATES)]
    # Odd candidates have two genres, even ones a single one.
    assert (corpus.features["genres"] >= 0).sum(axis=1).tolist() == [1, 2] * 10
    assert corpus.features["genres"].dtype == np.int32
    # Every fifth year is missing and becomes the mean, which is 0.
    assert (corpus.features["year"][::5] == 0).all()
    assert corpus.features["year"].shape == (worlds.NUM_CANDIDATES, 1)


def test_counts_are_those_of_train_targets_alone(trained, world):
    corpus = trained[2]
    targets = []
    for record in worlds.read(world.windows["train"]):
        targets += tf.train.Example.FromString(record).features.feature["target_ids"].bytes_list.value
    assert corpus.counts.tolist() == [targets.count(candidate) for candidate in corpus.ids]
    # Eight interactions per query; the last two are held out.
    assert corpus.counts.sum() == worlds.NUM_QUERIES * 6
    assert corpus.counts[corpus.ids.tolist().index(worlds.UNSEEN)] == 0


def test_the_fingerprint_is_of_the_content_not_of_its_order(world, tmp_path):
    rows = [worlds.candidate_row(number) for number in range(4)]
    sha256 = _load(world, tmp_path, rows).sha256
    assert _load(world, tmp_path, rows[::-1]).sha256 == sha256
    assert _load(world, tmp_path, rows[:3]).sha256 != sha256
    renamed = worlds.example(candidate_id=[b"c03"], title=[b"Other"], genres=[b"g0", b"odd"], year=[1993.0])
    assert _load(world, tmp_path, [*rows[:3], renamed]).sha256 != sha256


def test_a_repeated_id_and_an_empty_catalogue_are_refused(world, tmp_path):
    with pytest.raises(DataError, match=r"'c01' is in the catalogue more than once"):
        _load(world, tmp_path, [worlds.candidate_row(number) for number in (1, 2, 1)])
    with pytest.raises(DataError, match="no rows"):
        _load(world, tmp_path, [])
