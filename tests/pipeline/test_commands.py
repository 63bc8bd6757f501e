"""Commands about a finished run, on the smoke workspace."""

import json
import os
import re
import subprocess
import sys

import pytest

from shortlist.serving.client import Recommender
from shortlist.tables import lookup, request
from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e


def _shortlist(smoke, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments, "--config", str(smoke.config_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SHORTLIST_DATA_DIR": str(smoke.data_root)},
    )


def test_lineage_goes_from_the_push_back_to_the_files(smoke):
    done = _shortlist(smoke, "lineage", "--json")
    assert done.returncode == 0, done.stderr
    trace = json.loads(done.stdout)
    assert trace["version"] == smoke.first.summary.pushed.version
    steps = {step["node"]: step for step in trace["steps"]}
    assert trace["steps"][0]["node"] == "Pusher"
    assert {"Indexer", "Evaluator", "Trainer", "Windows", "InteractionsGen", "CandidatesGen", "QueriesGen"} <= set(
        steps
    )
    # The run that did the work, not the one that found it in the cache.
    assert {step["run_id"] for step in trace["steps"]} == {smoke.first.summary.run_id}
    sha256 = smoke.first.summary.fingerprints.data["interactions"]
    assert f"sha256 {sha256[:16]}" in steps["InteractionsGen"]["facts"]
    assert any("most popular" in fact for fact in steps["Evaluator"]["facts"])


def test_lineage_as_text_fits_80_columns(smoke, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = _shortlist(smoke, "lineage")
    assert done.returncode == 0
    # A path alone is whole, however long it is.
    assert max(len(line) for line in done.stdout.splitlines() if "/" not in line) <= 80
    assert "Trainer" in done.stdout


def test_a_version_that_was_never_pushed_is_refused(smoke):
    done = _shortlist(smoke, "lineage", "--version", "7")
    assert done.returncode == 2
    assert "version 7 was never pushed" in done.stderr


def test_recommend_leaves_the_history_out_and_shows_titles(smoke):
    done = _shortlist(smoke, "recommend", "--history", "50,181", "-k", "5", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {"50", "181"} & {row["id"] for row in rows}
    assert all(row["title"] for row in rows)


def test_recommend_as_of_a_test_rows_time_answers_as_the_evaluation_did(smoke):
    import tensorflow as tf

    data, root = smoke.config.data, smoke.data_root
    recommender = Recommender(smoke.workspace.serving_dir.with_name(f"{smoke.config.name}-exact"))
    answer = tf.saved_model.load(str(recommender.path)).signatures["examples"]
    titles = lookup.candidate_titles(data, root)
    # The first run's; other tests may have run other configs in this workspace since.
    executions = (smoke.workspace.pipeline_root / "Windows" / "examples").iterdir()
    windows = min(executions, key=lambda folder: int(folder.name)) / "Split-test"
    records = tf.data.TFRecordDataset([str(path) for path in windows.glob("*.gz")], compression_type="GZIP")
    compared = 0
    for record in records.take(60).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        [time] = features["target_times"].int64_list.value
        # The history of a window has rows of the target's own second, whose order is that of the file.
        if time in features["history_times"].int64_list.value:
            continue
        [query_id] = features["query_id"].bytes_list.value
        asked = request.of_query(data, root, query_id.decode(), titles, str(time), 0)
        found = recommender.recommend(
            asked.query.query_id,
            asked.query.history,
            query_features=asked.query.features,
            query_time=asked.as_of.time,
        )
        expected = answer(examples=tf.constant([record]))["ids"][0, :10].numpy()
        assert [row.id.encode() for row in found] == list(expected)
        compared += 1
    assert compared >= 10


def test_recommend_says_as_of_when_and_a_new_user_is_answered(smoke):
    query_id = lookup.example_query(smoke.config.data, smoke.data_root)
    known = _shortlist(smoke, "recommend", "--query", query_id)
    assert re.search(r"As of: {3}199[78]-.* UTC, just after the newest interaction of the history\n", known.stdout), (
        known.stderr
    )
    later = _shortlist(smoke, "recommend", "--query", query_id, "--at", "1999-01-01")
    assert "As of:   1999-01-01 00:00:00 UTC" in later.stdout
    new = _shortlist(smoke, "recommend", "--query", "nobody", "--set", "train.seed=2")
    assert new.returncode == 0, new.stderr
    assert "Query 'nobody' is not in" in new.stdout
