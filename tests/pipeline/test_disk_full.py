"""The disk is full for one writer after another: each prints one sentence, and with room again the run continues."""

from __future__ import annotations

import contextlib
import datetime
import pathlib

import pytest

from shortlist.config.load import load_config
from shortlist.errors import BadInputError, ResourceError
from shortlist.lineage.store import Store
from shortlist.workspace import Workspace
from tests import disks
from tests.pipeline import killing
from tests.pipeline.conftest import RecordingListener

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class _Stop(BaseException):
    """Ends a run as Ctrl-C does, from the inside."""


class _At(RecordingListener):
    """Does something when a node starts."""

    def __init__(self, node, act):
        super().__init__()
        self._node = node
        self._act = act

    def node_started(self, node_id, index, total):
        super().node_started(node_id, index, total)
        if node_id == self._node:
            self._act()


@pytest.fixture
def disk(tmp_path):
    with disks.small_disk(tmp_path / "disk", 8192) as folder:
        yield folder


def test_every_writer(data_root, disk, tmp_path):
    from pipeline.run import run_pipeline

    config = load_config(killing.write_config(tmp_path / "smoke.yaml", disk / "workspace"))
    workspace = Workspace(disk / "workspace", config.name)

    def run(node, act):
        listener = _At(node, act)
        with workspace.reserve("run"):
            run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
            run_pipeline(config, workspace, run_id, data_root, listener, "seconds")
        return listener

    # ML Metadata finds no room for a page, the others none for their shards.
    for node, left_kilobytes in (("CandidatesGen", 0), ("InteractionsGen", 96), ("Windows", 96)):
        with pytest.raises(ResourceError) as error:
            run(node, lambda left=left_kilobytes: disks.fill(disk, left))
        sentence = str(error.value)
        assert sentence.startswith(f"{disk}/workspace")
        assert ": no space left (" in sentence
        assert "\n" not in sentence
        disks.make_room(disk)
        assert node not in _done(workspace)

    def stop():
        raise _Stop

    with pytest.raises(_Stop):
        run("Transform", stop)
    executions = Store(workspace.metadata_path).executions()
    done = [execution.node for execution in executions if execution.state == "COMPLETE"]
    assert {node for node in done if done.count(node) > 1} <= killing.RESOLVERS
    assert {"CandidatesGen", "InteractionsGen", "Windows"} <= set(done)
    assert "RUNNING" not in {execution.state for execution in executions}
    outputs = {
        pathlib.Path(artifact.uri)
        for execution in executions
        if execution.state == "COMPLETE"
        for artifacts in execution.outputs.values()
        for artifact in artifacts
    }
    assert {path for path in workspace.pipeline_root.glob("*/[!.]*/*") if path.name.isdigit()} == outputs


def _done(workspace: Workspace) -> set[str]:
    """Returns the finished nodes; none if ML Metadata has no tables yet."""
    with contextlib.suppress(BadInputError):
        executions = Store(workspace.metadata_path).executions()
        return {execution.node for execution in executions if execution.state == "COMPLETE"}
    return set()


def test_the_command_prints_one_sentence(data_root, tmp_path):
    with disks.small_disk(tmp_path / "disk", 128) as disk:
        config_path = killing.write_config(tmp_path / "smoke.yaml", disk / "workspace")
        workspace = Workspace(disk / "workspace", load_config(config_path).name)
        with killing.Victim(config_path, workspace, data_root) as victim:
            assert victim.process.wait() == 1
        assert victim.output.count("Error: ") == 1
        assert f"Error: {disk}/workspace" in victim.output
        assert "no space left (" in victim.output
        assert "Traceback" not in victim.output
