"""A run listens on no port: a node's executor runs in the process, and ML Metadata has no server."""

import socket
import time

import pytest
from tfx.dsl.component.experimental import annotations, decorators
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from pipeline.local_runner import LocalRunner
from shortlist.lineage.database import SqliteDatabase
from shortlist.lineage.store import Store
from tests import ports
from tests.pipeline.conftest import RecordingListener


@decorators.component
def Make(model: annotations.OutputArtifact[standard_artifacts.Model], fails: annotations.Parameter[int]):
    # Long enough for several samples of the ports.
    time.sleep(0.5)
    model.set_string_custom_property("made_by", "Make")
    if fails:
        raise ValueError("this node fails")


def run(folder, fails: int = 0) -> RecordingListener:
    pipeline = tfx_pipeline.Pipeline(
        pipeline_name="ports", pipeline_root=str(folder / "root"), components=[Make(fails=fails)], enable_cache=True
    )
    listener = RecordingListener()
    LocalRunner(f"run-{fails}", listener, SqliteDatabase(folder / "mlmd.sqlite").connection()).run(pipeline)
    return listener


def test_the_sampler_sees_a_port():
    with ports.listening_addresses() as found, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        deadline = time.monotonic() + 60
        while not found and time.monotonic() < deadline:
            time.sleep(0.01)
    assert found == {f"0100007F:{port:04X}"}


def test_a_node_runs_without_a_port_and_its_output_is_published(tmp_path):
    with ports.listening_addresses() as found:
        assert run(tmp_path).cached == {"Make": False}
    assert found == set()
    [execution] = Store(SqliteDatabase(tmp_path / "mlmd.sqlite")).run_executions("run-0")
    assert execution.state == "COMPLETE"


def test_a_failed_node_opened_no_port_and_is_recorded_as_failed(tmp_path):
    with ports.listening_addresses() as found, pytest.raises(ValueError, match="this node fails"):
        run(tmp_path, fails=1)
    assert found == set()
    [execution] = Store(SqliteDatabase(tmp_path / "mlmd.sqlite")).run_executions("run-1")
    assert execution.state == "FAILED"


@pytest.mark.e2e
def test_the_smoke_run_opens_no_port(smoke):
    assert smoke.first.ports == set()
