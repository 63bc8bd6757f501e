"""Commands about a finished run, on the smoke workspace."""

import json
import subprocess
import sys

import pytest

from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e


def _shortlist(smoke, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments, "--config", str(smoke.config_path)],
        capture_output=True,
        text=True,
        check=False,
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


def test_lineage_as_text_fits_100_columns(smoke):
    done = _shortlist(smoke, "lineage")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 100
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
