from __future__ import annotations

import json
import pathlib

import pytest

from pipeline.kubeflow.check import find_problems
from pipeline.kubeflow.package import Package
from shortlist.config.config import Config
from shortlist.config.load import load_config
from shortlist.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[3]
_MEMORY = "kubeflow.tasks.Trainer.memory"


def _config(**overrides: object) -> Config:
    given = {"kubeflow.image": "registry.example.com/shortlist:1", "data.schemas": f"{ROOT}/schemas/movielens_100k"}
    return load_config(ROOT / "configs" / "smoke.yaml", given | overrides)


def _compiled(config: Config, baseline: bool, statistics: bool) -> Package:
    from pipeline.kubeflow.compiler import compile_pipeline
    from pipeline.kubeflow.parameters import placeholders

    return compile_pipeline(config, "seconds", placeholders(config, baseline, statistics))


@pytest.fixture(scope="module")
def first() -> Package:
    return _compiled(_config(**{_MEMORY: "8Gi"}), baseline=False, statistics=False)


@pytest.fixture(scope="module")
def later() -> Package:
    changed = {"train.refit": True, "train.warm_start": "latest_blessed"}
    return _compiled(_config(**changed), baseline=True, statistics=True)


def test_a_first_run_has_nothing_to_compare_with(first):
    assert find_problems(first, private_paths=[str(ROOT), str(pathlib.Path.home())]) == []
    assert set(first.parameters) == {
        "data_root",
        "serving_dir",
        "interactions_sha256",
        "candidates_sha256",
        "queries_sha256",
    }
    executors = first.pipeline["deploymentSpec"]["executors"].values()
    assert {kind for executor in executors for kind in executor} == {"container"}
    assert "baseline" not in first.tasks["Baseline"]["inputs"]["artifacts"]


def test_later_runs_import_the_artifacts_to_compare_with(later):
    assert find_problems(later, private_paths=[str(ROOT), str(pathlib.Path.home())]) == []
    assert set(later.parameters) > {"baseline_model", "warm_start_model", "interactions_statistics_before"}
    importers = [name for name, task in later.tasks.items() if "artifact_uri" in task["inputs"].get("parameters", {})]
    assert sorted(importers) == [
        "BlessedModel",
        "CandidatesBefore",
        "InteractionsBefore",
        "QueriesBefore",
        "WarmStartModel",
    ]
    assert later.tasks["Baseline"]["inputs"]["artifacts"]["baseline"]["taskOutputArtifact"] == {
        "producerTask": "BlessedModel",
        "outputArtifactKey": "result",
    }


def test_a_warm_start_and_its_refit_begin_from_the_same_model(first, later):
    source = {"taskOutputArtifact": {"producerTask": "WarmStartModel", "outputArtifactKey": "result"}}
    assert "source_model" not in first.tasks["Trainer"]["inputs"]["artifacts"]
    for task in ("Trainer", "Refit"):
        assert later.tasks[task]["inputs"]["artifacts"]["source_model"] == source
    uris = {
        name: later.tasks[name]["inputs"]["parameters"]["artifact_uri"] for name in ("BlessedModel", "WarmStartModel")
    }
    assert uris == {
        "BlessedModel": {"componentInputParameter": "baseline_model"},
        "WarmStartModel": {"componentInputParameter": "warm_start_model"},
    }


def test_a_history_tower_needs_no_vocabulary_of_query_ids(later):
    for task in ("Transform", "RefitTransform"):
        given = later.tasks[task]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
        assert json.loads(given)["query_ids"] is False


def test_a_search_starts_from_scratch():
    searched = _compiled(
        _config(**{"train.warm_start": "latest_blessed", "tune.enabled": True}), baseline=True, statistics=False
    )
    assert "WarmStartModel" not in searched.tasks
    for task in ("Tuner", "Trainer"):
        settings = searched.tasks[task]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
        assert json.loads(settings)["train"]["warm_start"] is None


def test_with_a_refit_it_is_the_refit_that_is_indexed(first, later):
    indexed = {
        name: package.tasks["Indexer"]["inputs"]["artifacts"] for name, package in (("no", first), ("yes", later))
    }
    makers = {
        name: [artifacts[key]["taskOutputArtifact"]["producerTask"] for key in ("trained_model", "model_blessing")]
        for name, artifacts in indexed.items()
    }
    assert makers == {"no": ["Trainer", "Evaluator"], "yes": ["Refit", "Refit"]}
    assert later.tasks.keys() - first.tasks.keys() >= {"RefitWindows", "RefitTransform", "Refit"}


def test_run_parameters_reach_the_nodes(first):
    gen = first.tasks["InteractionsGen"]["inputs"]["parameters"]
    assert gen["data_root"] == {"componentInputParameter": "data_root"}
    assert gen["content_sha256"] == {"componentInputParameter": "interactions_sha256"}
    assert first.tasks["Pusher"]["inputs"]["parameters"]["serving_dir"] == {"componentInputParameter": "serving_dir"}


def test_the_spec_is_the_same_wherever_and_whenever_it_is_compiled(first):
    again = _compiled(_config(**{_MEMORY: "8Gi"}), baseline=False, statistics=False)
    assert again.to_yaml() == first.to_yaml()


def test_kfp_itself_reads_the_file(first, tmp_path):
    from kfp import components

    path = tmp_path / "pipeline.yaml"
    path.write_text(first.to_yaml(), encoding="utf-8")
    loaded = components.load_component_from_file(str(path))
    assert loaded.pipeline_spec.pipeline_info.name == "movielens-100k-smoke"
    assert set(loaded.pipeline_spec.root.dag.tasks) == set(first.tasks)


def test_every_parameter_of_a_node_stands_in_the_spec(first):
    settings = first.tasks["Trainer"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert json.loads(settings)["train"]["seed"] == 1
    assert first.pipeline["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["resources"] == {
        "memoryRequest": 8.589934592,
        "memoryLimit": 8.589934592,
    }


_PORTABLE = {"engine": "portable", "job_endpoint": "jobs:8099", "worker_endpoint": "workers:50000"}


@pytest.mark.parametrize(
    ("beam", "message"),
    [({"engine": "flink"}, "which a pod cannot"), (_PORTABLE, "outside of the pod")],
)
def test_an_engine_that_cannot_see_the_pods_artifacts_is_refused(beam, message):
    with pytest.raises(ConfigError, match=message):
        _compiled(_config(beam=beam), baseline=False, statistics=False)


def test_a_path_of_this_machine_is_refused():
    with pytest.raises(ConfigError, match=r"data.interactions.path: expected a path that the pods see, got /srv/log"):
        _compiled(_config(**{"data.interactions.path": "/srv/log.csv"}), baseline=False, statistics=False)


def test_a_search_is_a_task_whose_best_values_the_trainer_takes():
    package = _compiled(_config(**{"tune.enabled": True}), baseline=False, statistics=False)
    assert find_problems(package, private_paths=[str(ROOT), str(pathlib.Path.home())]) == []
    assert package.tasks["Trainer"]["inputs"]["artifacts"]["hyperparameters"]["taskOutputArtifact"] == {
        "producerTask": "Tuner",
        "outputArtifactKey": "best_hyperparameters",
    }
