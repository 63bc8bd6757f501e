"""A real run of the smoke preset, from the files to the pushed model."""

from __future__ import annotations

import collections
import json
import re
import subprocess
import sys

import pytest

from shortlist.lineage.store import Store
from shortlist.summary import SCHEMA_VERSION, Status, read_summary
from shortlist.verdicts import Gate, Result

pytestmark = pytest.mark.e2e

_TABLES = ("Interactions", "Candidates", "Queries")
_NODES = {f"{table}{node}" for table in _TABLES for node in ("Gen", "Statistics", "Schema", "Validator")} | {
    *(
        "BlessedStatistics",
        "DataGate",
        "Windows",
        "Transform",
        "CandidateTransform",
        "Trainer",
        "BlessedModel",
        "Baseline",
    ),
    *("Evaluator", "Answers", "Indexer", "ServingCheck", "Pusher"),
}


def test_the_model_is_pushed(smoke):
    summary = smoke.first.summary
    assert summary.status is Status.PUSHED, summary.reasons
    assert summary.blessing.blessed
    assert summary.index.kind == "scann"
    assert summary.index.recall_at_k >= smoke.config.index.min_recall
    assert (smoke.workspace.serving_dir / str(summary.pushed.version) / "saved_model.pb").is_file()
    exact_dir = smoke.workspace.serving_dir.with_name(f"{smoke.config.name}-exact")
    assert (exact_dir / str(summary.pushed.version) / "saved_model.pb").is_file()


def test_every_node_ran_once(smoke):
    assert set(smoke.first.listener.started) == _NODES
    assert not any(smoke.first.listener.cached.values())


# They query ML Metadata in each run, and have no result to cache.
_RESOLVERS = {"BlessedStatistics", "BlessedModel"}


@pytest.mark.parametrize("which", ["second", "third"])
def test_an_unchanged_run_comes_from_the_cache_and_pushes_nothing_again(smoke, which):
    run = getattr(smoke, which)
    assert {node for node, cached in run.listener.cached.items() if not cached} == _RESOLVERS
    executions = Store(smoke.workspace.metadata_path).run_executions(run.summary.run_id)
    states = collections.Counter(execution.state for execution in executions if execution.node not in _RESOLVERS)
    assert states == {"CACHED": len(_NODES - _RESOLVERS)}
    assert run.summary.status is Status.PUSHED
    assert run.summary.pushed == smoke.first.summary.pushed
    versions = [path.name for path in smoke.workspace.serving_dir.iterdir() if path.name.isdigit()]
    assert versions == [str(smoke.first.summary.pushed.version)]


def test_metrics_are_on_every_test_row_with_popularity_beside(smoke):
    summary = smoke.first.summary
    assert summary.metrics.overall["example_count"] == summary.data.rows["test"] == 120
    for metrics in (summary.metrics.overall, summary.baselines.popularity):
        for k in (1, 5, 10, 50, 100):
            excluded = metrics[f"factorized_top_k/top_{k}_categorical_accuracy"]
            with_seen = metrics[f"factorized_top_k/top_{k}_categorical_accuracy_with_seen"]
            assert 0.0 <= with_seen <= excluded <= 1.0


def test_a_new_query_gets_popular_candidates(smoke):
    summary = smoke.first.summary
    assert summary.metrics.overall["cold_start/empty_history_popular_share"] >= 0.5
    gates = {gate.gate: gate for gate in summary.gates}
    assert re.fullmatch(r"\d+ of their 100 answers are .* required 50", gates[Gate.NEW_USERS].sentence)
    assert (gates[Gate.NEW_USERS].result, gates[Gate.NEW_ITEMS].result) == (Result.PASSED, Result.NOT_JUDGED)


def test_each_gate_has_one_result_in_the_fixed_order(smoke):
    gates = smoke.first.summary.gates
    assert [gate.gate for gate in gates] == list(Gate)
    assert [gate.gate for gate in gates if gate.result is Result.FAILED] == []
    by_gate = {gate.gate: gate.sentence for gate in gates}
    assert by_gate[Gate.PREVIOUS_MODEL] == "none yet"
    assert re.fullmatch(r"\w+: recall@100 \d\.\d{4} against exact search; required 0.\d+", by_gate[Gate.INDEX])
    assert by_gate[Gate.SERVING] == "the model and its exact copy load in new processes and agree"


def test_the_summary_is_the_frozen_contract(smoke):
    path = smoke.workspace.runs_dir / "latest" / "summary.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert raw["schema_version"] == SCHEMA_VERSION == 1
    assert set(raw) == {
        *(
            "schema_version",
            "run_id",
            "pipeline",
            "status",
            "reasons",
            "gates",
            "warnings",
            "advice",
            "protocol",
            "data",
        ),
        *(
            "metrics",
            "baselines",
            "blessing",
            "index",
            "pushed",
            "tuning",
            "training",
            "cached",
            "seconds",
            "peak_rss_mb",
        ),
        *("node_peaks_mb", "refit", "answers", "kind", "refresh", "warm_start"),
        "fingerprints",
    }
    assert set(raw["protocol"]) >= {"split", "exclude_seen", "corpus_size", "tied_targets"}
    assert set(raw["index"]) == {
        *("kind", "k", "recall_at_k", "p50_ms", "p99_ms", "coverage_at_10", "overlap_at_10"),
    }
    assert 0 < raw["index"]["coverage_at_10"] <= 1
    assert 0 <= raw["index"]["overlap_at_10"] < 1
    assert 0 <= raw["answers"]["overlap_at_10"] <= raw["answers"]["overlap_at_10_with_seen"] <= 1
    assert 0 < raw["answers"]["coverage_at_10"] <= 1
    by_slice = collections.Counter(name for entry in raw["metrics"]["slices"] for name in entry["slice"])
    asked_for = {"gender", "target_genres"}
    assert by_slice.keys() == {"history_length", "target_popularity", "target_seen_before"} | asked_for
    assert by_slice["gender"] == 2
    # A film has several genres, some of them rare.
    assert by_slice["target_genres"] > 10
    for name in by_slice.keys() - {"target_genres"}:
        of_name = [entry["metrics"] for entry in raw["metrics"]["slices"] if name in entry["slice"]]
        assert sum(metrics["example_count"] for metrics in of_name) == raw["metrics"]["overall"]["example_count"]
    assert set(raw["pushed"]) == {"version", "path"}
    assert read_summary(path) == smoke.third.summary


def test_fingerprints_are_those_of_the_data_config_and_code(smoke):
    assert smoke.first.summary.fingerprints == smoke.second.summary.fingerprints
    assert set(smoke.first.summary.fingerprints.data) == {"interactions", "candidates", "queries"}


_CLEAN_CLIENT = """
import sys, json
import tensorflow as tf
if sys.argv[2] == "scann":
    import scann
model = tf.saved_model.load(sys.argv[1])
signature = model.signatures["serving_default"]
spec = signature.structured_input_signature[1]
inputs = {}
for name, tensor in spec.items():
    shape = [1] * tensor.shape.rank
    inputs[name] = tf.fill(shape, "") if tensor.dtype == tf.string else tf.zeros(shape, tensor.dtype)
inputs["history_ids"] = tf.constant([["50", "181", "no such film"]])
inputs["history_times"] = tf.constant([[1, 2, 3]], tf.int64)
answer = signature(**inputs)
count = int(answer["count"][0])
ids = [item.decode() for item in answer["ids"][0, :count].numpy()]
print(json.dumps({"ids": ids, "scores": answer["scores"][0, :count].numpy().tolist(), "modules": sorted(sys.modules)}))
"""


@pytest.mark.parametrize("kind", ["scann", "exact"])
def test_the_pushed_model_answers_in_a_process_without_shortlist(smoke, kind):
    suffix = "" if kind == "scann" else "-exact"
    path = smoke.workspace.serving_dir.with_name(smoke.config.name + suffix) / str(smoke.first.summary.pushed.version)
    done = subprocess.run(
        [sys.executable, "-c", _CLEAN_CLIENT, str(path), kind],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env={"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert not {"shortlist", "components", "tfx", "tensorflow_recommenders"} & set(answer["modules"])
    assert ("scann" in answer["modules"]) == (kind == "scann")
    assert len(answer["ids"]) == len(set(answer["ids"])) == smoke.config.index.k
    assert not {"50", "181", ""} & set(answer["ids"])
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
