"""Two TFX pipelines at once in one database of each server: both succeed, are separate, and log no password."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time

import pytest

from shortlist.lineage.database import database
from shortlist.lineage.store import Store
from shortlist.workspace import Workspace
from tests.servers import PASSWORD, PASSWORD_ENV, PIPELINES, RUN_IDS, SERVERS, Servers

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Runs two pipelines twice on both servers; yields the servers and the folder with all that was written."""
    root = tmp_path_factory.mktemp("chains")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv(PASSWORD_ENV, PASSWORD)
        servers = Servers.model_validate({kind: stack.enter_context(start()) for kind, start in SERVERS.items()})
        (root / "servers.json").write_text(servers.model_dump_json())
        outputs = [(root / f"{name}.log").open("w") for name in PIPELINES]
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.pipeline.chain", str(root), name],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            for name, output in zip(PIPELINES, outputs, strict=True)
        ]
        while all(process.poll() is None for process in processes):
            time.sleep(0.1)
        # They wait for each other: if one failed, the other would wait in vain.
        if any(process.poll() for process in processes):
            for process in processes:
                process.terminate()
        codes = [process.wait() for process in processes]
        for output in outputs:
            output.close()
        assert codes == [0, 0], "\n".join((root / f"{name}.log").read_text()[-3000:] for name in PIPELINES)
        yield servers, root


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("name", PIPELINES)
def test_each_pipeline_has_its_runs_and_its_cache(chains, kind, name):
    servers, root = chains
    store = Store.of(Workspace(root / kind / name, name, getattr(servers, kind)))
    assert store.run_ids() == list(RUN_IDS)
    for run_id, state in zip(RUN_IDS, ("COMPLETE", "CACHED"), strict=True):
        nodes = {execution.node: execution for execution in store.run_executions(run_id)}
        assert {node: nodes[node].state for node in nodes} == {"Make": state, "Judge": state, "Push": "COMPLETE"}
        judged = {key: artifacts[0].type for key, artifacts in nodes["Judge"].outputs.items()}
        assert judged == {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"}
    [model] = store.artifacts("Model")
    assert model.properties["made_by"] == name
    assert store.producer(model.id).run_id == RUN_IDS[0]
    log = (root / f"{name}.log").read_text()
    assert f"{kind} {RUN_IDS[1]} [('Judge', True), ('Make', True), ('Push', False)]" in log


def test_the_password_is_nowhere(chains):
    servers, root = chains
    for folder, _, files in os.walk(root):
        for file in files:
            assert PASSWORD.encode() not in pathlib.Path(folder, file).read_bytes()
    for kind in SERVERS:
        for name in PIPELINES:
            store = database(Workspace(root / kind / name, name, getattr(servers, kind))).reader()
            everything = [*store.get_contexts(), *store.get_executions(), *store.get_artifacts()]
            assert len(everything) > 20
            assert PASSWORD not in str(everything)
