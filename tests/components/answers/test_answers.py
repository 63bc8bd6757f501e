"""Answers of a saved model with four candidates, whose scores are easy to compute by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from components.answers import answers
from components.answers.exact import search
from components.evaluator import slices
from shortlist import keys
from shortlist.config.report import ReportSection

IDS = [b"a", b"b", b"c", b"d"]
TITLES = {b"a": "Alien", b"b": "Brazil <i>", b"d": "Dune"}
COUNTS = np.array([7, 2, 3, 0])


class Model(tf.Module):
    """Every query scores a highest, then b, c and d; the embedding of query `odd` is not finite."""

    def __init__(self):
        super().__init__()
        self.candidate_ids = tf.Variable(IDS)
        self.candidate_embeddings = tf.Variable([[4.0], [3.0], [2.0], [1.0]])
        self.candidate_counts = tf.Variable(COUNTS)
        self.popularity = tf.Variable(slices.popularity_buckets(COUNTS))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "query_id")])
    def query_embedding(self, query_id):
        return {"embedding": tf.where(query_id == "odd", np.nan, tf.ones([tf.size(query_id)]))[:, tf.newaxis]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def evaluation(self, examples):
        ranks = tf.range(1, tf.size(examples, out_type=tf.int64) + 1)
        with_seen = {keys.RANK_WITH_SEEN: ranks + 1, keys.POPULARITY_RANK_WITH_SEEN: ranks * 10 + 1}
        return {keys.RANK: ranks, keys.POPULARITY_RANK: ranks * 10, **with_seen}


def _write(folder, records):
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for record in records:
            feature = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)) for name, values in record.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def _window(query, history, target):
    return {keys.QUERY_ID: [query], keys.HISTORY_IDS: history, keys.SEEN_IDS: history, keys.TARGET_IDS: [target]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("answers")
    model = Model()
    signatures = {"query_embedding": model.query_embedding, "evaluation": model.evaluation}
    tf.saved_model.save(model, str(root / "model"), signatures=signatures)
    windows = [
        _window(b"ann", [b"gone", b"a"], b"b"),
        # A basket: one query, two rows.
        _window(b"bob", [], b"a"),
        _window(b"bob", [], b"c"),
        _window(b"odd", [], b"a"),
    ]
    _write(root / "test", windows)
    catalogue = [{keys.CANDIDATE_ID: [id_], "title": [TITLES[id_].encode()] if id_ in TITLES else []} for id_ in IDS]
    _write(root / "candidates", catalogue)
    return [str(root / name) for name in ("model", "test", "candidates")]


def test_statistics_cover_the_queries_with_a_finite_embedding(folders):
    found = answers.describe(*folders, "title", ReportSection())
    # ann has seen a and gets b c d; bob gets a b c d.
    assert (found["queries"], found["broken"], found["places"], found["never"]) == (2, 1, 7, 0)
    assert found["coverage_at_10"] == 1.0
    # b, c and d are each in both answers: 3 of 10 places.
    assert found["overlap_at_10"] == pytest.approx(0.3)
    # Everyone gets a b c d, before ann's a is left out.
    assert found["overlap_at_10_with_seen"] == pytest.approx(0.4)
    # 7 of 12 train targets are a's, which is head alone; c begins at 7 of 12, in the second third; b at 10.
    by_bucket = {row.pop("bucket"): row for row in found["popularity"]}
    assert [by_bucket[name]["answers"] for name in slices.POPULARITIES] == [1, 2, 2, 2]
    assert [by_bucket[name]["train"] for name in slices.POPULARITIES] == [7, 3, 2, 0]
    # (7 + 2 x 2 + 2 x 3 + 0) / 7
    assert found["mean_train_count"]["answers"] == pytest.approx(17 / 7)


def test_least_recommended_are_sorted_by_train_count(folders):
    found = answers.describe(*folders, "title", ReportSection())
    assert found["most"][0] == {"id": "b", "title": "Brazil <i>", "answers": 2, "train_count": 2}
    assert [row["id"] for row in found["least"]] == ["a", "c", "b", "d"]


def test_examples_show_titles_and_no_query_id(folders):
    [ann] = [
        example
        for example in answers.describe(*folders, "title", ReportSection())["examples"]
        if example["history_length"] == 2
    ]
    assert ann["query"] is None
    assert ann["history"] == [{"id": "gone", "title": None}, {"id": "a", "title": "Alien"}]
    assert ann["target"] == {"id": "b", "title": "Brazil <i>"}
    assert [answer["id"] for answer in ann["answers"]] == ["b", "c", "d"]
    assert ann[keys.POPULARITY_RANK] == 10 * ann[keys.RANK]


def test_each_answer_names_the_item_of_the_history_that_it_is_closest_to(folders):
    [ann, bob] = sorted(
        answers.describe(*folders, "title", ReportSection())["examples"], key=lambda example: -example["history_length"]
    )
    # "gone" is not in the corpus, so that a is the only item with a vector.
    assert ann["near"] == [{"id": "a", "title": "Alien"}] * 3
    assert bob["near"] == [None] * 4


def test_query_ids_and_examples_are_shown_only_if_configured(folders):
    asked = answers.describe(*folders, "", ReportSection(query_ids=True))
    assert {example["query"] for example in asked["examples"]} == {"ann", "bob"}
    silent = answers.describe(*folders, "title", ReportSection(examples=False))
    assert "examples" not in silent
    assert not {"ann", "bob"} & set(json.dumps(silent).split('"'))


def test_exact_search_leaves_out_excluded_and_non_finite_candidates():
    queries = np.array([[1.0], [-1.0]], np.float32)
    candidates = np.array([[1.0], [np.inf], [3.0], [2.0]], np.float32)
    rows, scores = search(queries, candidates, [np.array([2]), np.array([], np.int64)], 5)
    np.testing.assert_array_equal(rows, [[3, 0, -1, -1, -1], [0, 3, 2, -1, -1]])
    np.testing.assert_array_equal(scores[1, :3], [-1, -2, -3])
