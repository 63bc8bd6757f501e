"""The exported models after loading: real ScaNN and exact search through the served signatures."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import build, queries
from shortlist.config.serving import Index
from shortlist.serving.input_tensors import signature_inputs
from shortlist.serving.served_model import load_served
from tests.components.indexer import stand_in

LOWEST = np.finfo(np.float32).min


class Exported:
    """Both models of one corpus, loaded."""

    def __init__(self, root: pathlib.Path, size: int, settings: Index, dim: int = 8, embeddings=None):
        self.size, self.k = size, settings.k
        self.ids = stand_in.candidate_ids(size)
        self.directory = root
        trained_dir = stand_in.save_stand_in(root / "trained", size, dim, embeddings)
        stand_in.write_windows(root / "windows", self.ids)
        self.report = build.build(
            str(root / "windows"), str(trained_dir), settings, str(root / "model"), str(root / "exact")
        )
        self.models = [load_served(root / name) for name in ("model", "exact")]
        self.trained = tf.saved_model.load(str(trained_dir))

    def ask(self, model, signature: str, rows: list[dict]) -> list[list[str]]:
        """Returns the ids of each answer, after checking what holds of every answer."""
        call = model.signatures[signature]
        answer = call(**signature_inputs(call.structured_input_signature[1], rows))
        ids, scores, count = (answer[name].numpy() for name in ("ids", "scores", "count"))
        assert ids.shape == scores.shape == (len(rows), self.k)
        found = []
        for line, line_scores, results in zip(ids, scores, count, strict=True):
            assert (line[results:] == b"").all()
            assert (line_scores[results:] == LOWEST).all()
            assert np.isfinite(line_scores).all()
            assert (np.diff(line_scores) <= 0).all()
            found.append([item.decode() for item in line[:results]])
            assert "" not in found[-1]
            assert len(set(found[-1])) == results
        return found

    def expected(self, row: dict, excluded: list[str], allowed: list[str] | None = None) -> list[str]:
        call = self.trained.signatures["query_embedding"]
        query = call(**signature_inputs(call.structured_input_signature[1], [row]))["embedding"].numpy()[0]
        scores = self.trained.candidate_embeddings.numpy() @ query
        order = [self.ids[place] for place in np.argsort(-scores, kind="stable")]
        return [item for item in order if item not in excluded and (allowed is None or item in allowed)]


@pytest.fixture(scope="module", params=[2, 15, 16])
def exported(request, tmp_path_factory):
    kind = "scann" if request.param >= 16 else "brute_force"
    settings = Index(kind=kind, k=20, max_exclusions=6)
    return Exported(tmp_path_factory.mktemp(f"corpus{request.param}"), request.param, settings)


def test_the_exported_index_is_of_the_kind_of_the_config(exported):
    assert exported.report.reasons == []
    index = exported.report.index
    assert index["kind"] == ("scann" if exported.size >= 16 else "brute_force")
    assert index["recall_at_k"] == 1.0
    assert 0 < index["p50_ms"] <= index["p99_ms"]
    assert json.loads((exported.directory / "model/assets.extra/index.json").read_text()) == index
    assert (exported.directory / "exact/assets.extra/shortlist.json").is_file()


def test_only_a_scann_index_has_scanns_op(exported):
    graphs = [(exported.directory / name / "saved_model.pb").read_bytes() for name in ("model", "exact")]
    assert [b"Scann>" in graph for graph in graphs] == [exported.size >= 16, False]


def test_history_never_comes_back(exported):
    rows = [
        {"query_id": f"user-{row}", "history_ids": exported.ids[row : row + 3], "age": 20 + row} for row in range(4)
    ]
    for model in exported.models:
        found = exported.ask(model, "serving_default", rows)
        assert found == [exported.expected(row, row["history_ids"])[:20] for row in rows]


def test_recommend_excludes_only_the_given_ids(exported):
    ids = exported.ids
    rows = [
        {"query_id": "user-1", "history_ids": ids[:2], "exclude": []},
        {"query_id": "user-1", "history_ids": ids[:2], "exclude": [*ids[:4], "stranger", ids[0]]},
        {"query_id": "user-2", "history_ids": [], "exclude": ids[: len(ids) // 2], "k": 3},
        {"query_id": "user-3", "history_ids": ["stranger"], "exclude": ids, "k": 20},
        {"query_id": "stranger", "exclude": [], "k": 0},
    ]
    for model in exported.models:
        found = exported.ask(model, "recommend", rows)
        assert found == [exported.expected(row, row["exclude"])[: row.get("k", 20)] for row in rows]
        assert found[3] == found[4] == []


def test_allow_lists_restrict_their_own_query_alone(exported):
    ids = exported.ids
    rows = [
        {"query_id": "user-1", "exclude": ids[:1], "allow": []},
        {"query_id": "user-1", "exclude": ids[:1], "allow": [*ids[:3], ids[1], "stranger"]},
        {"query_id": "user-1", "exclude": ids[:2], "allow": ids[:2]},
        {"query_id": "user-1", "exclude": [], "allow": ["stranger"]},
    ]
    for model in exported.models:
        found = exported.ask(model, "recommend", rows)
        allowed = [None, ids[:3], ids[:2], []]
        assert found == [
            exported.expected(row, row["exclude"], only)[:20] for row, only in zip(rows, allowed, strict=True)
        ]
        assert exported.ask(model, "recommend", rows[1:]) == found[1:], "no query without an allow list"


def test_examples_take_windows_and_any_part_of_one(exported):
    ids = exported.ids
    window = stand_in.window("user-4", ids[:2], ids[0], seen=ids[1:3])
    partly = tf.train.Example(
        features=tf.train.Features(
            feature={"history_ids": tf.train.Feature(bytes_list=tf.train.BytesList(value=[ids[1].encode()]))}
        )
    ).SerializeToString()
    row = queries.parse_window(window)
    for model in exported.models:
        answer = model.signatures["examples"](examples=tf.constant([window, partly, b""]))
        found = [
            [item.decode() for item in line[:count]]
            for line, count in zip(answer["ids"].numpy(), answer["count"].numpy(), strict=True)
        ]
        assert found[0] == exported.expected(row, ids[:3])[:20]
        assert found[1] == exported.expected({"history_ids": [ids[1]]}, [ids[1]])[:20]
        assert found[2] == exported.expected({}, [])[:20]


def test_embeddings_are_those_of_the_trained_model(exported):
    row = {"query_id": "user-1", "history_ids": exported.ids[:1], "history_times": [5], "tags": ["a"], "joined": 3}
    call = exported.trained.signatures["query_embedding"]
    inputs = signature_inputs(call.structured_input_signature[1], [row])
    for model in exported.models:
        np.testing.assert_allclose(
            model.signatures["query_embedding"](**inputs)["embedding"], call(**inputs)["embedding"], rtol=1e-6
        )
        vectors = model.signatures["candidate_embedding"](candidate_id=tf.constant([exported.ids[-1], "stranger"]))
        np.testing.assert_allclose(vectors["embedding"][0], exported.trained.candidate_embeddings[-1])
        assert (vectors["embedding"][1].numpy() == 0).all()


def test_inputs_without_columns_and_a_query_that_is_not_finite(exported):
    for model in exported.models:
        call = model.signatures["recommend"]
        inputs = signature_inputs(call.structured_input_signature[1], [{"age": float("inf")}, {"query_id": "user-1"}])
        for name in ("history_ids", "exclude", "allow", "tags"):
            inputs[name] = tf.zeros([2, 0], tf.string)
        inputs["history_times"] = tf.zeros([2, 0], tf.int64)
        answer = call(**inputs)
        assert answer["count"].numpy().tolist() == [0, min(20, exported.size)]
        assert (answer["ids"][0].numpy() == b"").all()


def test_movielens_size_is_served_by_scann(tmp_path):
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(40, 64))
    embeddings = centres[generator.integers(40, size=1_682)] + 0.5 * generator.normal(size=(1_682, 64))
    exported = Exported(tmp_path, 1_682, Index(kind="scann"), dim=64, embeddings=embeddings)
    assert exported.report.reasons == []
    assert b"Scann>" in (tmp_path / "model/saved_model.pb").read_bytes()
    assert b"Scann>" not in (tmp_path / "exact/saved_model.pb").read_bytes()
    assert exported.report.index["kind"] == "scann"
    assert exported.report.index["recall_at_k"] >= 0.99
    rows = [queries.parse_window(stand_in.window("user-1", exported.ids[:5], exported.ids[9]))]
    exact = exported.expected(rows[0], exported.ids[:5])[:100]
    found = exported.ask(exported.models[0], "serving_default", rows)[0]
    assert len(set(found).intersection(exact)) >= 95
    longest = exported.ids[:1_500]
    rows[0]["exclude"] = longest
    assert exported.ask(exported.models[0], "recommend", rows)[0] == exported.expected(rows[0], longest)[:100]


def _build(tmp_path, size, settings, embeddings=None, splits=("train", "eval", "test")) -> build.IndexBuild:
    trained = stand_in.save_stand_in(tmp_path / "trained", size, embeddings=embeddings)
    stand_in.write_windows(tmp_path / "windows", stand_in.candidate_ids(size), splits=splits)
    return build.build(
        str(tmp_path / "windows"), str(trained), settings, str(tmp_path / "model"), str(tmp_path / "exact")
    )


def test_scann_asked_for_where_it_cannot_work_is_rejected(tmp_path):
    report = _build(tmp_path, 5, Index(kind="scann"))
    assert report.index is None
    assert report.reasons == [
        "index.kind scann needs 16 candidates or more, but the corpus has 5; use auto or brute_force"
    ]


def test_an_embedding_that_is_not_finite_is_rejected_by_name(tmp_path):
    embeddings = np.ones((20, 8))
    embeddings[3, 2] = np.nan
    report = _build(tmp_path, 20, Index(), embeddings)
    name = stand_in.candidate_ids(20)[3]
    assert report.reasons == [f"1 candidates have an embedding that is not finite, '{name}' among them"]


def test_no_test_rows_is_a_reason(tmp_path):
    assert _build(tmp_path, 20, Index(), splits=("train",)).reasons == [
        "the test split has no rows to measure recall on"
    ]


def test_tuning_does_without_eval_rows(tmp_path):
    ids = stand_in.candidate_ids(20)
    root = str(stand_in.write_windows(tmp_path, ids, rows=4, splits=("train", "test")))
    train = queries.sample_windows(str(tmp_path / "Split-train"), 4)
    assert build._tuning_windows(root) == train
    stand_in.write_windows(tmp_path, ids, rows=3, splits=("eval",))
    assert len(build._tuning_windows(root)) == 3


def test_auto_searches_exactly_as_long_as_that_is_as_quick(tmp_path, monkeypatch):
    report = _build(tmp_path / "small", 30, Index(k=5))
    assert (report.index["kind"], report.index["reason"]) == (
        "brute_force",
        "exact search of 30 candidates is as quick as ScaNN",
    )
    # 30 candidates of 8 dimensions.
    monkeypatch.setattr(build, "MAX_AUTO_EXACT_CELLS", 239)
    report = _build(tmp_path / "large", 33, Index(k=5, searchers=2))
    assert (report.reasons, report.index["kind"], report.index["reason"]) == ([], "scann", "")
    assert report.index["params"]["searchers"] == 2
    assert all(trial["recall"] <= 1.0 < trial["p50_ms"] * 1e6 for trial in report.index["trials"])
    assert report.index["exact_p50_ms"] > 0.0


def test_auto_falls_back_where_scanns_recall_fails_and_scann_is_rejected(tmp_path, monkeypatch):
    def hopeless(*arguments):
        tuned = real(*arguments)
        return dataclasses.replace(tuned, recall=0.5)

    monkeypatch.setattr(build, "MAX_AUTO_EXACT_CELLS", 0)
    real = build.tuning.tune
    with monkeypatch.context() as patched:
        patched.setattr(build.tuning, "tune", hopeless)
        report = _build(tmp_path / "auto", 30, Index(k=5))
    assert (report.reasons, report.index["kind"]) == ([], "brute_force")
    assert report.index["reason"] == "ScaNN's recall@5 on eval queries is 0.5000 at best"

    monkeypatch.setattr(build.ExactAnswers, "recall", lambda self, served: np.full(len(served), 0.5))
    report = _build(tmp_path / "scann", 30, Index(kind="scann", k=5))
    assert report.index["kind"] == "scann"
    assert report.reasons == ["recall@5 of the scann index on 40 test queries is 0.5000, below index.min_recall=0.99"]


def test_a_query_whose_embedding_is_not_finite_is_a_reason_in_any_split(tmp_path):
    trained = stand_in.save_stand_in(tmp_path / "trained", 20)
    ids = stand_in.candidate_ids(20)
    for split in ("eval", "test"):
        root = stand_in.write_windows(tmp_path / split, ids, rows=3)
        example = tf.train.Example.FromString(stand_in.window("user-1", ids[:2], ids[3]))
        example.features.feature["age"].float_list.value[:] = [float("inf")]
        with tf.io.TFRecordWriter(str(root / f"Split-{split}" / "broken.gz"), "GZIP") as writer:
            writer.write(example.SerializeToString())
        folders = [str(tmp_path / f"{split}-{name}") for name in ("model", "exact")]
        report = build.build(str(root), str(trained), Index(kind="scann", k=5), *folders)
        assert report.reasons == ["1 of 4 sampled queries have an embedding that is not finite"]
