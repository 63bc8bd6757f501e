"""Bulk answers of a stand-in model are those of single requests."""

import functools
import json
import shutil

import apache_beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components import shards
from components.bulk import beam, files, requests, similar
from components.bulk.answers import Answerer
from components.bulk.ruled import RuledAnswerer
from shortlist.api.model import Model
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import catalogue
from shortlist.serving.client import Recommender
from shortlist.tables.as_of import LogTimes
from tests.components.indexer import stand_in

SIZE, K = 60, 10
IDS = stand_in.candidate_ids(SIZE)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Returns the folders of a ScaNN model and of its exact copy."""
    root = tmp_path_factory.mktemp("models")
    return stand_in.save_both_models(root, stand_in.save_stand_in(root / "trained", SIZE), K, 16)


def row(number):
    """Returns a request as `Recommender.recommend` takes it; histories have 0 to 11 items."""
    generator = np.random.default_rng(number)
    items = [IDS[pick] for pick in generator.integers(SIZE, size=number % 12)]
    features = {"age": float(number)} if number % 3 else {}
    return f"user-{number}", [(item, 100 + place) for place, item in enumerate(items)], features


def serialized(number):
    query_id, history, features = row(number)
    feature = {
        "query_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[query_id.encode()])),
        "history_ids": tf.train.Feature(bytes_list=tf.train.BytesList(value=[item.encode() for item, _ in history])),
        "history_times": tf.train.Feature(int64_list=tf.train.Int64List(value=[time for _, time in history])),
        "query_time": tf.train.Feature(int64_list=tf.train.Int64List(value=[500])),
    }
    for name, value in features.items():
        feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("is_exact", [True, False])
def test_answers_are_those_of_single_requests(models, is_exact, exclude_seen):
    folder = models[is_exact]
    numbers = [7, 0, 23, 30, 4, 11]
    found = Answerer(folder, is_exact, 5, exclude_seen).answer([serialized(number) for number in numbers])
    recommender = Recommender(folder)
    for place, number in enumerate(numbers):
        query_id, history, features = row(number)
        online = recommender.recommend(query_id, history, 5, exclude_seen, features, query_time=500)
        assert found.keys[place] == query_id.encode()
        assert found.ids[place].tolist() == [item.id.encode() for item in online]
        scores = np.array([item.score for item in online], np.float32)
        if is_exact:
            np.testing.assert_array_equal(found.scores[place], scores)
        else:
            np.testing.assert_allclose(found.scores[place], scores, rtol=1e-5)


def test_answers_under_rules_are_those_of_single_requests(models, tmp_path):
    shutil.copytree(models[1], tmp_path / "1")
    rows = [{"row": row, "id": item, "title": None} for row, item in enumerate(IDS)]
    pq.write_table(pa.Table.from_pylist(rows, catalogue.schema(None, {})), tmp_path / "1" / CANDIDATES_FILE)
    rules = {"diversity": 0.7, "promote": [{"ids": [IDS[0]], "at_least": 1}]}
    numbers = [7, 0, 23]
    found = RuledAnswerer(tmp_path / "1", 5, True, rules).answer([serialized(number) for number in numbers])
    model = Model(Recommender(tmp_path / "1"))
    for place, number in enumerate(numbers):
        query_id, history, features = row(number)
        online = model.recommend(history, query=query_id, k=5, at=500, features=features, **rules)
        assert found.keys[place] == query_id.encode()
        assert found.ids[place].tolist() == [item.encode() for item in online.ids]
        assert found.scores[place].tolist() == [np.float32(item.score) for item in online]


def test_no_requests_get_no_answers(models):
    assert [len(column) for column in Answerer(models[1], True, 5, True).answer([])] == [0, 0, 0, 0]


def test_shards_are_files_in_either_format(models, tmp_path):
    for shard, numbers in enumerate(([1, 2], [])):
        path = requests.request_path(str(tmp_path / "requests"), shard)
        shards.write((serialized(number) for number in numbers), path, str(tmp_path / "part"))
    for form in ("parquet", "jsonl"):
        path_of = functools.partial(_path_of, str(tmp_path / "out"), form)
        load = functools.partial(Answerer, models[1], True, 3, True)
        with apache_beam.Pipeline() as root:
            beam.build_answers(root, [0, 1], load, str(tmp_path / "requests"), path_of, str(tmp_path / "part"))
    table = pq.read_table(_path_of(str(tmp_path / "out"), "parquet", 0))
    assert table.column("query_id").to_pylist() == ["user-1", "user-2"]
    assert [len(line) for line in table.column("ids").to_pylist()] == [3, 3]
    with open(_path_of(str(tmp_path / "out"), "jsonl", 0), encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == table.to_pylist()
    assert pq.read_table(_path_of(str(tmp_path / "out"), "parquet", 1)).num_rows == 0
    assert not list((tmp_path / "part").iterdir())


def _path_of(folder, form, shard):
    return files.answer_path(folder, shard, 2, form)


def test_similar_items_by_hand(tmp_path):
    # Items 0 and 1 point the same way, item 2 is at 45 degrees, item 3 is opposite. Ties are in the corpus' order.
    vectors = np.array([[1.0, 0.0], [5.0, 0.0], [1.0, 1.0], [-1.0, 0.0]])
    trained = stand_in.save_stand_in(tmp_path / "trained", 4, 2, vectors)
    neighbours = similar.Neighbours(_exact(tmp_path, trained), 2)
    found = [neighbours.of_shard(shard, 3) for shard in range(3)]
    ids = np.concatenate([part.ids for part in found])
    assert np.concatenate([part.keys for part in found]).tolist() == [b"item-0", b"item-1", b"item-2", b"item-3"]
    assert ids.tolist() == [
        [b"item-1", b"item-2"],
        [b"item-0", b"item-2"],
        [b"item-0", b"item-1"],
        [b"item-2", b"item-0"],
    ]
    np.testing.assert_allclose(found[0].scores, [[1.0, 0.5**0.5]], rtol=1e-6)


def test_similar_items_are_those_of_the_signature(models):
    found = similar.Neighbours(models[1], K).of_shard(0, 1)
    recommender = Recommender(models[1])
    for item, ids, scores in zip(found.keys[:7], found.ids, found.scores, strict=False):
        online = recommender.ask("similar", {"candidate_ids": [item.decode()], "k": K})
        assert ids.tolist() == [other.encode() for other, _ in online]
        np.testing.assert_allclose(scores, [cosine for _, cosine in online], rtol=1e-5, atol=1e-6)


def _exact(root, trained_dir):
    """Exports exact search over a corpus that is too small for ScaNN."""
    from components.indexer import export
    from components.indexer.exact import ExactIndex

    trained = tf.saved_model.load(str(trained_dir))
    served = export.ServedModel(trained, ExactIndex(k=2).index(trained.candidate_embeddings), 2)
    export.save(served, str(trained_dir), str(root / "exact"))
    export.write_index_file(str(root / "exact"), {"kind": "brute_force", "k": 2})
    return str(root / "exact")


def flat(**values):
    """Returns a flat example."""
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, int)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.mark.parametrize("wanted", [None, (b"u1", b"stranger")])
def test_requests_have_the_history_that_recommend_reads(tmp_path, wanted):
    log = [(b"u1", b"b", 20), (b"u1", b"a", 10), (b"u1", b"gone", 15), (b"u2", b"a", 40), (b"u1", b"c", 30)]
    rows = (
        flat(query_id=query, candidate_id=item, timestamp=time, source_path=b"log.csv", source_row=number)
        for number, (query, item, time) in enumerate(log)
    )
    shards.write(rows, str(tmp_path / "log/rows.gz"), str(tmp_path / "part"))
    queries = [flat(query_id=b"u3", city=b"Ghent", source_path=b"q.csv", source_row=0)]
    shards.write(queries, str(tmp_path / "queries/rows.gz"), str(tmp_path / "part"))
    shards.write([b"a", b"b", b"c"], str(tmp_path / "ids.gz"), str(tmp_path / "part"))
    settings = requests.RequestSettings("all", 2, True, "s", as_of=30, now=10**9, num_shards=2)
    with apache_beam.Pipeline() as root:
        requests.build(
            root,
            shards.beam_pattern(str(tmp_path / "log")),
            shards.beam_pattern(str(tmp_path / "queries")),
            str(tmp_path / "ids.gz"),
            wanted,
            settings,
            str(tmp_path / "requests"),
            str(tmp_path / "part"),
        )
    found = {}
    for shard in range(2):
        path = requests.request_path(str(tmp_path / "requests"), shard)
        for record in tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            features = example.features.feature
            [query_id] = features["query_id"].bytes_list.value
            found[query_id] = features
    # `gone` is not in the catalogue, c is not before 30.
    assert list(found[b"u1"]["history_ids"].bytes_list.value) == [b"a", b"b"]
    assert list(found[b"u1"]["history_times"].int64_list.value) == [10, 20]
    assert list(found[b"u1"]["query_time"].int64_list.value) == [30]
    if wanted is None:
        assert set(found) == {b"u1", b"u2", b"u3"}
        assert not found[b"u2"]["history_ids"].bytes_list.value
        assert list(found[b"u3"]["city"].bytes_list.value) == [b"Ghent"]
    else:
        assert set(found) == {b"u1", b"stranger"}


def test_the_default_time_is_just_after_the_history_in_an_old_log():
    settings = requests.RequestSettings("all", 9, True, "s", as_of=None, now=10**9, num_shards=1)
    joined = {"asked": [True], "history": [[(100, 0, b"", 0, b"a", 1.0)]], "features": []}
    [(_, (_, record))] = requests._request((b"u", joined), settings, LogTimes("s", 500))
    assert list(tf.train.Example.FromString(record).features.feature["query_time"].int64_list.value) == [101]
