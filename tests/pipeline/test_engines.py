"""The smoke pipeline on another Beam engine gives the same figures: `make test-portable`, `make test-flink`."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from shortlist.lineage.store import Store
from shortlist.summary import Status, read_summary
from shortlist.workspace import Workspace
from tests.pipeline import killing
from tests.servers import free_port
from tests.shortlist.engines import beam_services

_ASKED = os.environ.get("SHORTLIST_TEST_ENGINE")
_FLINK_JAR = os.environ.get("SHORTLIST_FLINK_JAR", "")
_SECONDS = 3000

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(_SECONDS + 1200)]


@pytest.mark.skipif(_ASKED != "portable", reason="takes five minutes: `make test-portable`")
def test_portable(smoke, tmp_path):
    with beam_services.portable(tmp_path) as engine:
        _run_and_compare(smoke, tmp_path, engine.model_dump())


@pytest.mark.skipif(_ASKED != "flink", reason="takes a jar of 300 MB and minutes: `make test-flink`")
def test_flink_with_two_task_slots(smoke, tmp_path, monkeypatch):
    if not _FLINK_JAR:
        pytest.skip("no job server: make test-flink FLINK_JAR=beam-runners-flink-1.18-job-server-2.60.0.jar")
    monkeypatch.setenv("SHORTLIST_FLINK_JAR", str(pathlib.Path(_FLINK_JAR).absolute()))
    settings = {"engine": "flink", "parallelism": 2, "job_port": free_port()}
    _run_and_compare(smoke, tmp_path, settings)


def _run_and_compare(smoke, folder: pathlib.Path, beam: dict) -> None:
    workspace = Workspace(folder / "workspace", smoke.config.name)
    config_path = killing.write_config(folder / "smoke.yaml", workspace.root)
    text = config_path.read_text(encoding="utf-8")
    assert "\nbeam:" not in text
    config_path.write_text(f"{text}\nbeam: {json.dumps(beam)}\n", encoding="utf-8")
    with killing.Victim(config_path, workspace, smoke.data_root) as run:
        assert run.process.wait(_SECONDS) == 0, run.output
    summary = read_summary(workspace.runs_dir / "latest" / "summary.json")
    assert summary.status is Status.PUSHED
    assert killing.differences(killing.results(summary), killing.results(smoke.first.summary)) == []
    ours, theirs = (
        {e.node: e.state for e in Store.of(place).run_executions(run_id)}
        for place, run_id in ((workspace, summary.run_id), (smoke.workspace, smoke.first.summary.run_id))
    )
    assert ours == theirs
    print(json.dumps({"seconds": summary.seconds.components, "direct": smoke.first.summary.seconds.components}))
