"""The executors of the Indexer and the ServingCheck on artifacts; their only test module that imports TFX."""

import json
import pathlib

import numpy as np
import pytest
from tfx.types import artifact_utils, standard_artifacts

from components.indexer import build, catalogue, executor, verdict
from components.serving_check import executor as check_executor
from shortlist.config.features import FeatureType
from shortlist.config.serving import Index
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.evaluation import ServedEvaluation
from tests.components.indexer import stand_in
from tests.components.indexer.flat import write_candidates

SIZE = 30


class Nodes:
    """The artifacts of both nodes in one folder, with methods to run each."""

    def __init__(self, root):
        self.root = root
        self.trained = self.artifact(standard_artifacts.Model, "trained")
        self.upstream = self.artifact(standard_artifacts.ModelBlessing, "upstream")
        self.examples = self.artifact(standard_artifacts.Examples, "windows")
        self.examples.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
        self.candidates = self.artifact(standard_artifacts.Examples, "candidates")
        self.candidates.split_names = artifact_utils.encode_split_names(["all"])
        self.evaluation = self.artifact(standard_artifacts.ModelEvaluation, "evaluation")
        self.evaluation.set_string_custom_property("metrics", '{"ndcg_at_10": 0.5}')
        self.model = self.artifact(standard_artifacts.Model, "model")
        self.exact_model = self.artifact(standard_artifacts.Model, "exact")
        self.blessing = self.artifact(standard_artifacts.ModelBlessing, "blessing")
        self.infra_blessing = self.artifact(standard_artifacts.InfraBlessing, "infra")

    def artifact(self, kind, name):
        artifact = kind()
        artifact.uri = str(self.root / name)
        pathlib.Path(artifact.uri).mkdir()
        return artifact

    def train(self, embeddings=None):
        stand_in.save_stand_in(pathlib.Path(self.trained.uri) / "Format-Serving", SIZE, embeddings=embeddings)
        stand_in.write_windows(pathlib.Path(self.examples.uri), stand_in.candidate_ids(SIZE), rows=10)
        rows = [{"candidate_id": item, "name": f"Title of {item}"} for item in stand_in.candidate_ids(SIZE)]
        write_candidates(pathlib.Path(self.candidates.uri) / "Split-all", rows[::-1])
        self.bless()

    def bless(self, blessed=1, uri=None):
        self.upstream.set_int_custom_property("blessed", blessed)
        self.upstream.set_string_custom_property("current_model", uri or self.trained.uri)

    def index(self, **settings):
        executor.Executor().Do(
            {
                "trained_model": [self.trained],
                "model_blessing": [self.upstream],
                "examples": [self.examples],
                "candidates": [self.candidates],
                "evaluation": [self.evaluation],
                "verdict": [self.upstream],
            },
            {"model": [self.model], "exact_model": [self.exact_model], "blessing": [self.blessing]},
            {
                "config": Index(k=5, **settings).model_dump_json(),
                "exclude_seen": 1,
                "catalogue": catalogue.CatalogueFields("name", {"name": FeatureType.TEXT}).to_json(),
                "code_sha256": "",
            },
        )
        return self.verdict(self.blessing)

    def check(self):
        check_executor.Executor().Do(
            {
                "model": [self.model],
                "exact_model": [self.exact_model],
                "model_blessing": [self.blessing],
                "examples": [self.examples],
            },
            {"blessing": [self.infra_blessing]},
            {"code_sha256": ""},
        )
        return self.verdict(self.infra_blessing)

    @staticmethod
    def verdict(blessing):
        return (
            blessing.get_int_custom_property("blessed"),
            blessing.get_string_custom_property("status"),
            verdict.reasons_of(blessing),
        )

    def files(self, artifact):
        root = pathlib.Path(artifact.uri)
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def nodes(tmp_path):
    return Nodes(tmp_path)


def test_properties_are_read_as_kubeflow_has_them():
    blessing = standard_artifacts.ModelBlessing()
    blessing.set_int_custom_property("blessed", 1)
    blessing.set_json_value_custom_property("model_id", 7.0)
    blessing.set_json_value_custom_property("status", "ok")
    assert executor._Recorded.of(blessing).properties == {"blessed": 1, "model_id": 7.0, "status": "ok"}


def test_a_model_that_was_not_blessed_is_recorded_and_nothing_is_built(nodes):
    nodes.bless(0)
    nodes.upstream.set_string_custom_property("reasons", json.dumps(["top_100 is below popularity's"]))
    assert nodes.index() == (0, "not_blessed", ["top_100 is below popularity's"])
    assert nodes.files(nodes.model) == nodes.files(nodes.exact_model) == set()
    assert not nodes.model.has_custom_property("index")
    assert nodes.blessing.get_string_custom_property("current_model") == nodes.model.uri
    assert nodes.check() == (0, "not_checked", ["top_100 is below popularity's"])
    assert nodes.files(nodes.infra_blessing) == {"INFRA_NOT_BLESSED"}


def test_a_blessing_without_reasons_still_has_one(nodes):
    nodes.bless(0)
    assert nodes.index() == (0, "not_blessed", ["the model was not blessed"])


def test_the_blessing_of_another_model_does_not_count(nodes):
    nodes.bless(1, uri="/elsewhere")
    blessed, status, (reason,) = nodes.index()
    assert (blessed, status) == (0, "not_blessed")
    assert reason == f"the blessing is of /elsewhere, not of {nodes.trained.uri}"


def test_a_blessed_model_is_exported_twice_and_then_checked(nodes, monkeypatch):
    nodes.train()
    assert nodes.index(kind="scann") == (1, "ok", [])
    wanted = {"Format-Serving/saved_model.pb"} | {
        f"Format-Serving/assets.extra/{name}"
        for name in ("index.json", "shortlist.json", "candidates.parquet", "evaluation.json", "histories.json")
    }
    assert wanted <= nodes.files(nodes.model)
    assert wanted <= nodes.files(nodes.exact_model)
    extra = pathlib.Path(nodes.model.uri, "Format-Serving/assets.extra")
    index = json.loads((extra / "index.json").read_text())
    assert index == json.loads(nodes.model.get_string_custom_property("index"))
    assert index.keys() >= {"kind", "k", "recall_at_k", "p50_ms", "p99_ms", "corpus_size", "reason", "params"}
    assert (index["kind"], index["k"], index["corpus_size"], index["test_queries"]) == ("scann", 5, SIZE, 10)
    assert json.loads((extra / "shortlist.json").read_text())["query_features"] == stand_in.FEATURES

    for model in (nodes.model, nodes.exact_model):
        folder = pathlib.Path(model.uri, "Format-Serving")
        titles = {item: f"Title of {item}" for item in stand_in.candidate_ids(SIZE)}
        assert dict(Catalogue.of_version(folder)) == titles
        evaluation = ServedEvaluation.of_version(folder)
        assert (evaluation.metrics, evaluation.blessed, evaluation.refit) == ({"ndcg_at_10": 0.5}, True, False)

    asked = []

    def check(model_dir, exact_dir, windows):
        asked.append((model_dir, exact_dir, len(windows)))
        return [], {"model": {"p50_ms": 1.0}}

    monkeypatch.setattr(check_executor.check, "check", check)
    assert nodes.check() == (1, "ok", [])
    folders = [str(pathlib.Path(artifact.uri, "Format-Serving")) for artifact in (nodes.model, nodes.exact_model)]
    assert asked == [(*folders, 10)]
    assert nodes.files(nodes.infra_blessing) == {"INFRA_BLESSED"}
    assert json.loads(nodes.infra_blessing.get_string_custom_property("figures")) == {"model": {"p50_ms": 1.0}}

    monkeypatch.setattr(check_executor.check, "check", lambda *_: (["it crashed"], {}))
    assert nodes.check() == (0, "check_failed", ["it crashed"])


def test_an_index_whose_recall_is_too_low_is_rejected_with_its_figures(nodes, monkeypatch):
    nodes.train()
    report = build.IndexBuild(["recall@5 is 0.5"], {"kind": "scann", "recall_at_k": 0.5})
    monkeypatch.setattr(build, "build", lambda **_: report)
    assert nodes.index(kind="scann") == (0, "index_rejected", ["recall@5 is 0.5"])
    assert json.loads(nodes.model.get_string_custom_property("index")) == report.index
    assert nodes.check() == (0, "not_checked", ["recall@5 is 0.5"])


def test_a_model_that_cannot_be_indexed_is_rejected_rather_than_raised(nodes):
    embeddings = np.ones((SIZE, 8))
    embeddings[4] = np.inf
    nodes.train(embeddings)
    blessed, status, (reason,) = nodes.index()
    assert (blessed, status) == (0, "index_rejected")
    assert "not finite" in reason
    assert not nodes.model.has_custom_property("index")
