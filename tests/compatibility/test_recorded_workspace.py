"""Today's version opens a workspace of version 0.1.0, whose modules have moved since."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tarfile

import pytest

from shortlist.lineage import journal
from shortlist.lineage.serving import serving_state
from shortlist.lineage.store import Store
from shortlist.records import nodes
from shortlist.report import html, sections
from shortlist.report.blocks import Examples
from shortlist.report.facts import read
from shortlist.runs.prune import plan
from shortlist.serving import versions
from shortlist.workspace import Workspace
from tests.compatibility.make_workspace import HISTORY
from tests.compatibility.restored import ARCHIVE, restore

ROOT = pathlib.Path(__file__).parents[2]


class Restored:
    """The recorded workspace, and the commands on it."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        restore(folder)
        self.answers = json.loads((folder / "answers.json").read_text())
        self.versions = sorted(map(int, self.answers))
        self.runs = sorted(path.name for path in (folder / "workspace/runs").iterdir() if not path.is_symlink())

    def shortlist(self, *arguments: str, code: int = 0) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", "from cli import main; main()", *arguments, "--config", "circle.yaml"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SHORTLIST_DATA_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == code, ended.stderr
        return ended.stdout

    def recommended(self) -> list[str]:
        answer = json.loads(self.shortlist("recommend", "--history", HISTORY, "-k", "5", "--json"))
        return [line["id"] for line in answer]

    def types(self) -> set[str]:
        """Returns the names of all types in ML Metadata: of executions, artifacts and contexts."""
        [file] = (self.folder / "workspace/metadata").glob("*.sqlite")
        with contextlib.closing(sqlite3.connect(file)) as store:
            return {name for (name,) in store.execute("SELECT name FROM Type")}

    def recorded(self, version: int) -> list[str]:
        return [line["id"] for line in self.answers[str(version)]]


@pytest.fixture(scope="module")
def restored(tmp_path_factory) -> Restored:
    return Restored(tmp_path_factory.mktemp("recorded"))


def test_runs_have_their_status(restored):
    listed = json.loads(restored.shortlist("runs", "--json"))
    statuses = {run["run_id"]: run["status"] for run in listed}
    assert [statuses[run] for run in restored.runs] == ["pushed", "pushed", "not_blessed", "pushed"]


@pytest.mark.parametrize("which", [0, 1])
def test_lineage_leads_from_a_version_to_its_files(restored, which):
    version = restored.versions[which]
    found = json.loads(restored.shortlist("lineage", "--version", str(version), "--json"))
    nodes = {step["node"] for step in found["steps"]}
    assert nodes > {"Pusher", "ServingCheck", "Indexer", "Evaluator", "Trainer", "Windows", "InteractionsGen"}
    [gen] = [step for step in found["steps"] if step["node"] == "InteractionsGen"]
    assert str(restored.folder / "interactions.csv") in gen["facts"]


def test_lineage_knows_why_a_run_pushed_nothing_and_that_a_cached_run_did_not_push_anew(restored):
    _, cached, refused, _ = restored.runs
    why = json.loads(restored.shortlist("lineage", "--why", refused, "--json"))
    assert (why["outcome"], why["node"]) == ("not_blessed", "Evaluator")
    why = json.loads(restored.shortlist("lineage", "--why", cached, "--json"))
    assert (why["outcome"], why["version"]) == ("pushed", restored.versions[0])


def test_reports_leave_out_what_the_version_did_not_record(restored):
    workspace = Workspace(restored.folder / "workspace", "circle")
    pages = [sections.run_page(read(workspace, run_id)) for run_id in restored.runs]
    first, second = restored.versions
    assert [page.status for page in pages] == [
        f"pushed, version {first}",
        # Its version is not the newest one.
        f"unchanged, version {first} pushed by an earlier run",
        "not blessed, nothing pushed",
        f"pushed, version {second}",
    ]
    assert [link.address for link in pages[1].links] == [f"../{restored.runs[0]}/report.html"]
    for block in (block for page in pages for section in page.sections for block in section.blocks):
        if isinstance(block, Examples):
            assert all("near" not in answer.detail for example in block.examples for answer in example.answers)
    assert all("eval loss" not in html.render(page) for page in pages)


def test_lineage_and_prune_follow_a_workspace_that_was_moved(tmp_path):
    """ML Metadata still names the folder that the workspace was recorded in."""
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    workspace = Workspace(tmp_path / "workspace", "circle")
    recorded_at = (tmp_path / "RECORDED_AT").read_text(encoding="utf-8")
    store = Store.of(workspace)
    artifacts = store.all_artifacts()
    assert len(artifacts) > 40
    for artifact in artifacts:
        assert not artifact.uri.startswith(recorded_at)
        assert pathlib.Path(artifact.uri).exists()
    served = versions.served_version(workspace.serving_dir)
    assert serving_state(store, served).current.path == str(workspace.serving_dir / str(served))
    [run_id, *_] = sorted(store.run_ids(), reverse=True)
    planned = plan(store, workspace.pipeline_root, [served], [run_id])
    assert planned.artifacts
    assert journal.Journal(workspace).delete(planned.artifacts) == []
    assert not any(pathlib.Path(artifact.uri).exists() for artifact in planned.artifacts)


def test_recommend_answers_as_it_did(restored):
    assert restored.recommended() == restored.recorded(restored.versions[1])


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_rollback_then_a_run_that_is_compared_with_the_recorded_model(tmp_path):
    """The run executes its nodes again, because today's fingerprints of code have another form."""
    copy = Restored(tmp_path / "copy")
    copy.shortlist("rollback", "--reason", "fixture")
    types = copy.types()
    assert copy.recommended() == copy.recorded(copy.versions[0])
    copy.shortlist("run")
    summary = json.loads((copy.folder / "workspace/runs/latest/summary.json").read_text())
    assert summary["status"] == "pushed"
    assert summary["baselines"]["latest_blessed"]["example_count"] == summary["metrics"]["overall"]["example_count"]
    pushed = json.loads(copy.shortlist("lineage", "--served", "--json"))
    assert [push["command"] for push in pushed["pushes"]] == ["run", "rollback", "run", "run"]
    assert copy.types() == types
    # What nothing changed comes from the cache again.
    copy.shortlist("run")
    again = json.loads((copy.folder / "workspace/runs/latest/summary.json").read_text())
    assert again["pushed"] == summary["pushed"]
    assert {node for node in again["seconds"]["components"] if not nodes.is_resolver(node)} == set(again["cached"])
