"""Commands of an emergency: a rejected model is pushed by force, and then rolled back."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from shortlist.errors import BadInputError
from shortlist.lineage.store import Store
from shortlist.serving import client, versions
from shortlist.summary import Status
from shortlist.workspace import Workspace
from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A workspace that serves the smoke run's model and whose latest run was not blessed."""

    config_path: pathlib.Path
    workspace: Workspace
    served: int
    run_id: str

    def shortlist(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command."""
        return subprocess.run(
            [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments, "--config", str(self.config_path)],
            capture_output=True,
            text=True,
            check=False,
        )

    def output_of(self, *arguments: str):
        """Runs a command with --json and returns its output."""
        done = self.shortlist(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def rejected_run(smoke, run_smoke):
    """A run of the smoke preset whose gate no model passes; a model that passed would be refitted."""
    changed = {
        "evaluate": smoke.config.evaluate.model_copy(update={"min_lift_over_popularity": 100.0}),
        "train": smoke.config.train.model_copy(update={"refit": True}),
    }
    run = run_smoke(smoke.config.model_copy(update=changed), smoke.workspace)
    assert run.summary.status is Status.NOT_BLESSED
    assert run.summary.refit is None
    return run


def test_a_refused_model_has_recommendations_in_the_report(rejected_run):
    assert rejected_run.summary.index is None
    assert rejected_run.summary.answers.queries > 0


@pytest.fixture
def rejected(smoke, rejected_run, tmp_path):
    """A copy of the workspace."""
    smoke.workspace.point_latest_at(rejected_run.summary.run_id)
    workspace = Workspace(tmp_path / "workspace", smoke.config.name)
    for part in ("metadata", "runs", "serving", "pipeline_root"):
        shutil.copytree(smoke.workspace.root / part, workspace.root / part, symlinks=True)
    smoke.workspace.point_latest_at(smoke.third.summary.run_id)
    text = smoke.config_path.read_text(encoding="utf-8").replace(str(smoke.workspace.root), str(workspace.root))
    config_path = tmp_path / "smoke.yaml"
    config_path.write_text(text, encoding="utf-8")
    return Rejected(config_path, workspace, smoke.first.summary.pushed.version, rejected_run.summary.run_id)


def test_pushed_by_force_and_rolled_back(rejected):
    forced = rejected.output_of("push", "--force", "--reason", "the old one is worse")
    version = forced["version"]
    assert version > rejected.served
    assert forced["run_id"] == rejected.run_id
    assert "times; required 100" in forced["overridden"]["Evaluator"][0]
    assert versions.served_version(rejected.workspace.serving_dir) == version
    for folder in (rejected.workspace.serving_dir, versions.exact_dir(rejected.workspace.serving_dir)):
        assert versions.missing_files(folder / str(version)) == []
    assert len(client.Recommender(rejected.workspace.serving_dir).recommend(history=["50", "181"], k=3)) == 3
    # Nothing was trained again, so it is the measured model that is served.
    served = json.loads((rejected.workspace.serving_dir / str(version) / "assets.extra/shortlist.json").read_text())
    assert served["train"]["best_ndcg_at_10"] > 0.0

    trace = rejected.output_of("lineage")
    steps = {step["node"]: step for step in trace["steps"]}
    assert (trace["version"], trace["steps"][0]["node"]) == (version, "ForcedPush")
    facts = steps["ForcedPush"]["facts"]
    assert facts[0] == "pushed by force"
    assert facts[1].startswith("overrides Evaluator: ")
    assert facts[-1].endswith(": the old one is worse")
    assert {"Evaluator", "Trainer", "Windows", "InteractionsGen"} <= set(steps)

    restored = rejected.output_of("rollback", "--reason", "it was not")
    assert restored["restored_version"] == rejected.served
    assert restored["replaced_version"] == version
    assert versions.served_version(rejected.workspace.serving_dir) == restored["version"]
    assert len(client.Recommender(rejected.workspace.serving_dir).recommend(history=["50", "181"], k=3)) == 3
    assert [step["node"] for step in rejected.output_of("lineage")["steps"][:2]] == ["Rollback", "Pusher"]


def test_model_that_fails_the_serving_check_is_not_pushed_by_force_either(rejected, monkeypatch):
    from components.indexer import build
    from pipeline import forced_push
    from shortlist.config.load import load_config

    def broken(windows_dir, trained_dir, settings, model_dir, exact_dir, exclude_seen, catalogue):
        for folder, copy in (
            (rejected.workspace.serving_dir, model_dir),
            (versions.exact_dir(rejected.workspace.serving_dir), exact_dir),
        ):
            shutil.copytree(folder / str(rejected.served), copy)
        (pathlib.Path(exact_dir) / "saved_model.pb").write_bytes(b"torn")
        return build.IndexBuild([], {"kind": "scann"})

    monkeypatch.setattr(forced_push.build, "build", broken)
    with pytest.raises(BadInputError, match="cannot be pushed, not even by force: the serving check failed, exact "):
        forced_push.force_push(load_config(rejected.config_path), rejected.workspace, "x", lambda line: None)

    assert versions.versions(rejected.workspace.serving_dir) == [rejected.served]
    execution = Store(rejected.workspace.metadata_path).executions()[-1]
    assert (execution.node, execution.state) == ("ForcedPush", "FAILED")
    assert "the serving check failed" in execution.properties["error"]
    assert not [path for path in (rejected.workspace.pipeline_root / "ForcedPush").rglob("*") if path.is_file()]


def test_a_damaged_model_is_not_pushed_by_force(rejected):
    from pipeline import forced_push
    from shortlist.config.load import load_config

    [trainer] = [
        execution
        for execution in Store.of(rejected.workspace).run_executions(rejected.run_id)
        if execution.node == "Trainer"
    ]
    pathlib.Path(trainer.outputs["model"][0].uri, "Format-Serving/saved_model.pb").unlink()
    with pytest.raises(BadInputError, match=r"got Format-Serving/saved_model\.pb is missing; `shortlist run` makes it"):
        forced_push.force_push(load_config(rejected.config_path), rejected.workspace, "x", lambda line: None)
    assert versions.versions(rejected.workspace.serving_dir) == [rejected.served]


def test_a_pushed_model_needs_no_force(smoke, rejected):
    from pipeline import forced_push
    from shortlist.config.load import load_config

    (rejected.workspace.runs_dir / "latest").unlink()
    rejected.workspace.point_latest_at(smoke.first.summary.run_id)
    sentence = f"run {smoke.first.summary.run_id}, the latest, pushed its model as version {rejected.served}; "
    with pytest.raises(BadInputError, match=re.escape(sentence)):
        forced_push.force_push(load_config(rejected.config_path), rejected.workspace, "x", lambda line: None)


@pytest.mark.parametrize("arguments", [[], ["--force"], ["--reason", "x"], ["--force", "--reason", " "]])
def test_force_and_reason_go_together(rejected, arguments):
    done = rejected.shortlist("push", *arguments)
    assert done.returncode == 2
    assert "give --force and --reason TEXT" in done.stderr
